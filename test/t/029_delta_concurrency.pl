# mode => 'delta' while others write, on either side: each transfer brings one state of the peer, and when all is quiet one
# more makes both sides equal.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_sessions = 1000\n");
my $b = new_sync_node('receiver');
foreach my $node ($a, $b)
{
	$node->safe_psql('postgres', 'CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, note text)');
	$node->safe_psql('postgres', q(INSERT INTO account SELECT i, 0, 'n' || i FROM generate_series(1, 20000) i));
}

# Moves money between accounts, opens and closes some; the sum stays 0.
my $writer = <<'SQL';
DO $$
DECLARE ends timestamptz := clock_timestamp() + interval '20 s';
  x int; y int;
BEGIN
  WHILE clock_timestamp() < ends AND NOT EXISTS (SELECT FROM account WHERE id = 0) LOOP
    x := 1 + floor(random() * 3000); y := 1 + floor(random() * 3000);
    UPDATE account SET balance = balance + 1 WHERE id = x;
    UPDATE account SET balance = balance - 1 WHERE id = y AND EXISTS (SELECT FROM account WHERE id = x);
    IF NOT FOUND THEN
      UPDATE account SET balance = balance - 1 WHERE id = x;
    END IF;
    DELETE FROM account WHERE id = x AND balance = 0 AND random() < 0.3;
    INSERT INTO account VALUES (1 + floor(random() * 3000), 0, 'again') ON CONFLICT DO NOTHING;
    COMMIT;
  END LOOP;
END $$;
SQL
my $there = background($a, $writer);
my $states = 0;
foreach my $i (1 .. 12)
{
	my $out = run_script($b, $a, q(SELECT mode FROM sync_transfer(:c, 'account', strategy => 'mirror', mode => 'delta'); SELECT sum(balance) FROM account;));
	is($out, "delta\n0", "transfer $i brings one state");
	$states++ if $b->safe_psql('postgres', 'SELECT count(*) > 0 FROM account WHERE balance <> 0') eq 't';
}
cmp_ok($states, '>', 0, 'others wrote meanwhile');

# Now on both sides. Who loses against another writer may have to begin again, but nothing else goes wrong.
my $here = background($b, <<'SQL');
DO $$
DECLARE ends timestamptz := clock_timestamp() + interval '20 s';
BEGIN
  WHILE clock_timestamp() < ends AND NOT EXISTS (SELECT FROM account WHERE id = 0) LOOP
    UPDATE account SET note = 'here' WHERE id = (SELECT 1 + floor(random() * 3000));
    COMMIT;
    DELETE FROM account WHERE id = (SELECT 1 + floor(random() * 3000));
    COMMIT;
    INSERT INTO account VALUES (1 + floor(random() * 3000), 0, 'back') ON CONFLICT DO NOTHING;
    COMMIT;
  END LOOP;
END $$;
SQL
my ($done, $again) = (0, 0);
foreach my $i (1 .. 12)
{
	my $isolation = $i % 3 == 0 ? 'REPEATABLE READ' : 'READ COMMITTED';
	my $strategy = $i % 2 ? 'mirror' : 'overwrite';
	my ($ret, $stdout, $stderr) = $b->psql('postgres', "\\set VERBOSITY verbose\n\\set ON_ERROR_STOP on\n"
		  . pull_script($a, "BEGIN ISOLATION LEVEL $isolation; SELECT mode FROM sync_transfer(:c, 'account', strategy => '$strategy', mode => 'delta'); COMMIT;"));
	if ($ret == 0) { is($stdout, 'delta', "transfer $i among writers"); $done++; }
	else { like($stderr, qr/ERROR:  (40001|40P01):/, "transfer $i has to begin again"); $again++; }
}
cmp_ok($done, '>', 0, 'transfers get through');
$_->safe_psql('postgres', 'INSERT INTO account VALUES (0, 0, NULL)') foreach ($a, $b);    # which ends the writers
finished($there);
finished($here);
is("$there->{err}$here->{err}", '', 'the writers saw no error but those that they make');
run_script($b, $a, q(SELECT sync_transfer(:c, 'account', strategy => 'mirror', mode => 'delta');));
is($b->safe_psql('postgres', q(SELECT sync_checksum('account'))), $a->safe_psql('postgres', q(SELECT sync_checksum('account'))), 'in the end both are equal');

# What the transaction itself has written is compared, too; what the peer commits after the snapshot is not.
my $out = run_script($b, $a, <<'SQL');
BEGIN;
UPDATE account SET note = 'mine' WHERE id BETWEEN 100 AND 200;
SELECT updated > 0, mode FROM sync_transfer(:c, 'account', strategy => 'overwrite', mode => 'delta');
SELECT count(*) FROM account WHERE note = 'mine';
COMMIT;
-- Both calls in one statement: the second one sees what was written before it.
CREATE FUNCTION spoil() RETURNS int LANGUAGE sql AS $$ UPDATE account SET note = 'spoilt' WHERE id > 2900; SELECT 1 $$;
SELECT spoil(), (sync_transfer(:c, 'account', strategy => 'overwrite', mode => 'delta')).updated > 0;
SELECT count(*) FROM account WHERE note = 'spoilt';
SQL
is($out, "t|delta\n0\n1|t\n0", q(the transaction's own changes));
$out = run_script($b, $a, "SELECT sync_remote_get_count(:c, 'account') > 0;\n\\! psql -Xq -d '" . $a->connstr('postgres') . "' -c 'UPDATE account SET note = NULL'\n"
	  . q(SELECT updated, mode FROM sync_transfer(:c, 'account', strategy => 'overwrite', mode => 'delta');));
is($out, "t\n0|delta", 'the snapshot of the peer');

# Rolled back in part or as a whole, nothing is left, no file either.
$out = run_script($b, $a, <<'SQL');
BEGIN;
SAVEPOINT s;
SELECT updated > 0 FROM sync_transfer(:c, 'account', strategy => 'mirror', mode => 'delta');
ROLLBACK TO s;
SELECT updated > 0 FROM sync_transfer(:c, 'account', strategy => 'mirror', mode => 'delta');
ROLLBACK;
DO $$ BEGIN PERFORM sync_transfer((SELECT client FROM sync_clients()), 'account', strategy => 'mirror', mode => 'delta'); RAISE 'enough'; EXCEPTION WHEN OTHERS THEN NULL; END $$;
SELECT count(*) FROM account WHERE note IS NULL;
SQL
is($out, "t\nt\n1", 'rolled back');
is($_->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'no temporary file is left') foreach ($a, $b);
ok(!log_contains($_, qr/temporary file leak|leak:/), 'and none was forgotten') foreach ($a, $b);
no_leftovers($_, 'in the end') foreach ($a, $b);
done_testing();
