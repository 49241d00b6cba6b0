-- A small shop, for the demo: the schema. The data is in shop_data.sql.
CREATE TYPE order_status AS ENUM ('open', 'paid', 'shipped', 'returned');

CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    address jsonb NOT NULL DEFAULT '{}',
    since timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE product (
    sku text PRIMARY KEY,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price >= 0),
    tags text[] NOT NULL DEFAULT '{}',
    picture bytea
);

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    status order_status NOT NULL DEFAULT 'open',
    placed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE order_line (
    order_id bigint REFERENCES orders ON DELETE CASCADE,
    line int,
    sku text NOT NULL REFERENCES product,
    quantity int NOT NULL CHECK (quantity > 0),
    price numeric(10, 2) NOT NULL,
    total numeric GENERATED ALWAYS AS (quantity * price) STORED,
    PRIMARY KEY (order_id, line)
);

CREATE TABLE visit (
    customer_id bigint REFERENCES customer,
    at timestamptz NOT NULL,
    page text NOT NULL,
    took interval
) PARTITION BY RANGE (at);
CREATE TABLE visit_2025 PARTITION OF visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE visit_2026 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
