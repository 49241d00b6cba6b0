-- A tracker of issues: enums, a tree of comments, many-to-many tables, documents, search.
CREATE SCHEMA tracker;
CREATE TYPE tracker.state AS ENUM ('new', 'open', 'waiting', 'closed');
CREATE TYPE tracker.severity AS ENUM ('low', 'normal', 'high', 'critical');
CREATE DOMAIN tracker.email AS text CHECK (VALUE ~ '^[^@\s]+@[^@\s]+$');
CREATE TABLE tracker.person (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login varchar(30) NOT NULL UNIQUE,
    mail tracker.email,
    settings jsonb NOT NULL DEFAULT '{}',
    joined timestamptz NOT NULL DEFAULT now(),
    active boolean NOT NULL DEFAULT true
);
CREATE UNIQUE INDEX person_mail ON tracker.person (lower(mail)) WHERE active;
CREATE TABLE tracker.project (
    code char(4) PRIMARY KEY,
    title text NOT NULL,
    lead int REFERENCES tracker.person ON DELETE SET NULL,
    parent char(4) REFERENCES tracker.project,
    CHECK (parent <> code)
);
CREATE TABLE tracker.milestone (
    project char(4) REFERENCES tracker.project ON UPDATE CASCADE,
    number smallint,
    due date,
    PRIMARY KEY (project, number)
);
CREATE TABLE tracker.issue (
    id bigserial PRIMARY KEY,
    project char(4) NOT NULL REFERENCES tracker.project,
    milestone smallint,
    title text NOT NULL CHECK (title <> ''),
    body text,
    state tracker.state NOT NULL DEFAULT 'new',
    severity tracker.severity,
    reporter int NOT NULL REFERENCES tracker.person,
    assignee int REFERENCES tracker.person,
    estimate interval,
    spent numeric(6,2),
    opened timestamptz NOT NULL DEFAULT now(),
    closed timestamptz,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple', title || ' ' || coalesce(body, ''))) STORED,
    FOREIGN KEY (project, milestone) REFERENCES tracker.milestone (project, number),
    CHECK ((state = 'closed') = (closed IS NOT NULL))
);
CREATE INDEX ON tracker.issue USING gin (words);
CREATE INDEX ON tracker.issue (project, state) INCLUDE (title) WHERE state <> 'closed';
CREATE TABLE tracker.label (name text COLLATE "C" PRIMARY KEY, colour bit(24) NOT NULL DEFAULT B'0'::bit(24));
CREATE TABLE tracker.issue_label (
    issue bigint REFERENCES tracker.issue ON DELETE CASCADE,
    label text COLLATE "C" REFERENCES tracker.label ON UPDATE CASCADE,
    PRIMARY KEY (label, issue)
);
CREATE TABLE tracker.comment (
    id uuid PRIMARY KEY,
    issue bigint NOT NULL REFERENCES tracker.issue ON DELETE CASCADE,
    answers uuid REFERENCES tracker.comment ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    author int REFERENCES tracker.person,
    text text NOT NULL,
    seen_by int[] NOT NULL DEFAULT '{}',
    at timestamp NOT NULL
);
CREATE TABLE tracker.attachment (
    comment uuid REFERENCES tracker.comment ON DELETE CASCADE,
    name text,
    content bytea,
    mime text,
    UNIQUE (comment, name)
);
CREATE TABLE tracker.event (
    at timestamptz NOT NULL,
    issue bigint,
    what text NOT NULL,
    detail json,
    who inet
) PARTITION BY RANGE (at);
CREATE TABLE tracker.event_early PARTITION OF tracker.event FOR VALUES FROM (MINVALUE) TO ('2024-01-01 00:00:00+00');
CREATE TABLE tracker.event_late PARTITION OF tracker.event DEFAULT;
-- rows
INSERT INTO tracker.person (login, mail, settings, joined, active)
    SELECT 'user' || i, CASE WHEN i % 3 > 0 THEN 'user' || i || '@example.org' END, jsonb_build_object('page', i % 5, 'tags', jsonb_build_array('a', NULL, i)),
        '2020-01-01 00:00:00+00'::timestamptz + i * interval '1 day 7 minutes', i % 4 > 0 FROM generate_series(1, 40) i;
INSERT INTO tracker.project SELECT 'P' || i, 'Project ' || i, nullif(i * 3 % 40, 0), CASE WHEN i > 3 THEN 'P' || i % 3 + 1 END FROM generate_series(1, 12) i;
INSERT INTO tracker.milestone SELECT 'P' || p, n, '2024-01-01'::date + p * n FROM generate_series(1, 12) p, generate_series(1, 3) n;
INSERT INTO tracker.issue (project, milestone, title, body, state, severity, reporter, assignee, estimate, spent, opened, closed)
    SELECT 'P' || i % 12 + 1, nullif(i % 4, 0), 'Issue ' || i, CASE WHEN i % 5 > 0 THEN repeat('Body of issue ' || i || E'\n', i % 50) END,
        CASE WHEN i % 3 = 0 THEN 'closed' WHEN i % 7 = 0 THEN 'waiting' ELSE 'open' END::tracker.state, (ARRAY['low', 'normal', NULL, 'critical'])[i % 4 + 1]::tracker.severity,
        i % 40 + 1, nullif(i % 41, 0), i * interval '35 minutes', i / 3.0, '2023-01-01 00:00:00+00'::timestamptz + i * interval '3 hours',
        CASE WHEN i % 3 = 0 THEN '2024-06-01 00:00:00.000001+00'::timestamptz + i * interval '1 hour' END FROM generate_series(1, 1500) i;
INSERT INTO tracker.label SELECT 'label ' || chr(64 + i), i::bit(24) FROM generate_series(1, 20) i;
INSERT INTO tracker.issue_label SELECT i, 'label ' || chr(64 + i % 20 + 1) FROM generate_series(1, 1500, 3) i;
INSERT INTO tracker.comment SELECT md5(i::text)::uuid, i % 1500 + 1, CASE WHEN i % 3 = 0 THEN md5((i / 2)::text)::uuid END, i % 40 + 1, 'Comment ' || i, ARRAY[i % 3, i % 5],
    '2024-01-01'::timestamp + i * interval '11.5 seconds' FROM generate_series(1, 2500) i;
INSERT INTO tracker.attachment SELECT CASE WHEN i % 9 > 0 THEN md5(i::text)::uuid END, 'file ' || i, decode(repeat(md5(i::text), i), 'hex'), 'image/png' FROM generate_series(1, 120) i;
INSERT INTO tracker.event SELECT '2023-06-01 00:00:00+00'::timestamptz + i % 400 * interval '1 day', i, 'changed', '{"to":  1, "to": 2}', '10.1.0.0/16' FROM generate_series(1, 800) i;
-- changes
UPDATE tracker.issue SET state = 'closed', closed = now(), spent = spent + 1 WHERE id % 100 = 1;
UPDATE tracker.person SET settings = settings || '{"page": null}' WHERE id < 5;
UPDATE tracker.project SET code = 'Q9' WHERE code = 'P12';
DELETE FROM tracker.issue WHERE id % 200 = 2;
DELETE FROM tracker.label WHERE name = 'label A';
UPDATE tracker.label SET name = 'renamed' WHERE name = 'label B';
INSERT INTO tracker.issue (project, title, reporter) SELECT 'P1', 'Another ' || i, 1 FROM generate_series(1, 10) i;
INSERT INTO tracker.comment SELECT md5('new' || i)::uuid, i, NULL, 1, 'new', '{}', '2024-12-31' FROM generate_series(3, 9) i;
UPDATE tracker.event SET at = at - interval '1 year' WHERE issue = 700;
DELETE FROM tracker.event WHERE issue < 4;
DELETE FROM tracker.attachment WHERE name = 'file 9';
