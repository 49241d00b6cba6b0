-- The checksum depends on the rows and on nothing else.
CREATE TABLE one (id int, v text, t timestamptz, n numeric);
SELECT sync_checksum('one');
INSERT INTO one VALUES (1, 'a', '2024-01-01 00:00:00+00', 1.0), (2, NULL, NULL, NULL), (3, '', 'infinity', 'NaN');
SELECT sync_checksum('one');

-- Not on the order of rows or columns, on types, indexes, dropped columns or settings.
CREATE TABLE two (n varchar, junk int, v varchar(10), id bigint PRIMARY KEY, t timestamptz);
ALTER TABLE two DROP COLUMN junk;
INSERT INTO two (id, v, t, n) SELECT id, v, t, n FROM one ORDER BY id DESC;
SELECT sync_checksum('one') = sync_checksum('two') AS equal;
SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German';
SELECT sync_checksum('one') = sync_checksum('two') AS equal;
RESET ALL;

-- But on every value: numbers by their text, null and empty, which column it stands in, and how often a row is there.
SELECT sync_checksum('one') AS before \gset
BEGIN; UPDATE one SET n = 1.00 WHERE id = 1; SELECT sync_checksum('one') = :'before' AS same; ROLLBACK;
BEGIN; UPDATE one SET v = '' WHERE id = 2; SELECT sync_checksum('one') = :'before' AS same; ROLLBACK;
BEGIN; UPDATE one SET v = 'b' WHERE id = 1; SELECT sync_checksum('one') = :'before' AS same; ROLLBACK;
BEGIN; ALTER TABLE one RENAME v TO vv; SELECT sync_checksum('one') = :'before' AS same; ROLLBACK;
BEGIN; INSERT INTO one SELECT * FROM one WHERE id = 2; INSERT INTO one SELECT * FROM one WHERE id = 2; SELECT sync_checksum('one') = :'before' AS same; ROLLBACK;
SELECT sync_checksum('one') = :'before' AS same;

-- Values do not run into each other.
CREATE TABLE p (a text, b text);
INSERT INTO p VALUES ('a b', 'c');
CREATE TABLE q (a text, b text);
INSERT INTO q VALUES ('a', 'b c');
SELECT sync_checksum('p') = sync_checksum('q') AS same;

-- Stored generated columns do not count; partitions do; column names are in C order.
CREATE TABLE g (id int, "B" int, a int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO g VALUES (1, 2);
CREATE TABLE h ("B" int, id int) PARTITION BY LIST (id);
CREATE TABLE h1 PARTITION OF h FOR VALUES IN (1);
INSERT INTO h VALUES (2, 1);
SELECT sync_checksum('g') = sync_checksum('h') AS same;
SELECT sync_checksum('pg_class');
SELECT sync_checksum(NULL);
DROP TABLE one, two, p, q, g, h;
