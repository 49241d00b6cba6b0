-- A small shop, for the demo: the data, the same on every run.
SELECT setseed(0.42);

INSERT INTO customer (email, name, address, since)
SELECT format('customer%s@shop.example', i),
    (ARRAY['Ada', 'Grace', 'Edsger', 'Barbara', 'Zoë', 'Łukasz', '美咲'])[1 + i % 7] || ' ' || i,
    jsonb_build_object('city', (ARRAY['Oslo', 'Köln', 'Lyon', '東京'])[1 + i % 4], 'zip', lpad(i::text, 5, '0')),
    timestamptz '2025-01-01 09:00+00' + i * interval '3 hours'
FROM generate_series(1, 2000) i;

INSERT INTO product
SELECT 'SKU-' || lpad(i::text, 4, '0'), 'Product ' || i, round((5 + random() * 200)::numeric, 2),
    CASE i % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['new'] ELSE ARRAY['sale', 'last "chance"'] END,
    CASE WHEN i % 5 = 0 THEN decode(md5(i::text), 'hex') END
FROM generate_series(1, 300) i;

INSERT INTO orders (customer_id, status, placed_at)
SELECT 1 + (random() * 1999)::int, (enum_range(NULL::order_status))[1 + (random() * 3)::int],
    timestamptz '2025-03-01 00:00+00' + i * interval '11 minutes'
FROM generate_series(1, 20000) i;

INSERT INTO order_line (order_id, line, sku, quantity, price)
SELECT o.id, l, p.sku, 1 + (o.id * l % 4)::int, p.price
FROM orders o CROSS JOIN LATERAL generate_series(1, 1 + (o.id % 4)::int) l
JOIN product p ON p.sku = 'SKU-' || lpad((1 + (o.id * 7 + l * 13) % 300)::text, 4, '0');

INSERT INTO visit
SELECT 1 + (random() * 1999)::int, timestamptz '2025-06-01 00:00+00' + i * interval '23 minutes', '/page/' || i % 40,
    random() * interval '90 seconds'
FROM generate_series(1, 15000) i;

ANALYZE;
