# sync_diff(): which rows differ, by key or as multisets; and who may ask.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver');

# What differs: $one is run on both sides, then $there on the peer and $here on this one.
sub differences
{
	my ($one, $there, $here, %options) = @_;
	foreach my $node ($a, $b)
	{
		$node->safe_psql('postgres', "SET client_min_messages = error; DROP TABLE IF EXISTS t CASCADE; $one");
	}
	$a->safe_psql('postgres', $there) if $there;
	$b->safe_psql('postgres', $here) if $here;
	my $arguments = $options{arguments} || '';
	my $before = $options{before} || '';
	return run_script($b, $a, "$before SELECT kind, key, local, remote FROM sync_diff(:c, 't'$arguments);");
}

# ---- by key --------------------------------------------------------------------------------------

my $keyed = q(CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(8,2)); INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 1000) i;);
is(differences($keyed), '', 'equal tables do not differ');
is( differences($keyed,
		q(UPDATE t SET v = NULL WHERE id = 500; DELETE FROM t WHERE id IN (1, 1000); INSERT INTO t VALUES (0, 'new', 0), (2000, 'last', 0.5); UPDATE t SET id = 3000 WHERE id = 7),
		q(UPDATE t SET n = 0.01 WHERE id = 20; INSERT INTO t VALUES (-5, '', NULL))),
	<<'OUT' =~ s/\n\z//r, 'all kinds of differences, in the order of the key');
delete|{"id": -5}|{"n": null, "v": "", "id": -5}|
insert|{"id": 0}||{"n": 0.00, "v": "new", "id": 0}
delete|{"id": 1}|{"n": 1.00, "v": "v1", "id": 1}|
delete|{"id": 7}|{"n": 7.00, "v": "v7", "id": 7}|
update|{"id": 20}|{"n": 0.01, "v": "v20", "id": 20}|{"n": 20.00, "v": "v20", "id": 20}
update|{"id": 500}|{"n": 500.00, "v": "v500", "id": 500}|{"n": 500.00, "v": null, "id": 500}
delete|{"id": 1000}|{"n": 1000.00, "v": "v1000", "id": 1000}|
insert|{"id": 2000}||{"n": 0.50, "v": "last", "id": 2000}
insert|{"id": 3000}||{"n": 7.00, "v": "v7", "id": 3000}
OUT

done_testing();
