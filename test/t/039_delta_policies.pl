# mode => 'delta' over permanent connections: digests, and the rows that are asked for by their hashes, are held to what the
# connection allows, also where the peer does not begin as our client does.
use strict;
use warnings;
use lib 'perl';
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_pending = 16\nsync.max_connections = 12\n");
my $b = new_sync_node('receiver', conf => "sync.allowed_peers = '*'\n");
my $url = sync_url($a);
my $rows = 200_000;
foreach my $node ($a, $b)
{
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE big (id int PRIMARY KEY, v text);
INSERT INTO big SELECT i, 'value ' || i FROM generate_series(1, $rows) i;
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 1000) i;
CREATE TABLE free (id int PRIMARY KEY);
INSERT INTO free VALUES (1);
VACUUM ANALYZE;
SQL
}
$a->safe_psql('postgres', 'CREATE ROLE sharer; GRANT SELECT ON big, t, free TO sharer');

sub connection { return add_sender($a, settings => $_[0]); }

sub connects { my ($token) = @_; return "SELECT sync_connect('$url', token => '$token', timeout => '2 min') AS c \\gset\n"; }
sub column { my ($name, $column) = @_; return $a->safe_psql('postgres', "SELECT $column FROM sync_connections WHERE name = '$name'"); }
sub transfers { my ($name, $columns, $more) = @_; return $a->safe_psql('postgres', "SELECT $columns FROM sync_transfers WHERE connection_uuid = (SELECT uuid FROM sync_connections WHERE name = '$name') " . ($more // '')); }
sub delta { my ($table, $more) = @_; return "SELECT created, updated, skipped, deleted, mode FROM sync_transfer(:c, '$table', strategy => 'mirror', mode => 'delta'" . ($more // '') . ");\n"; }

# ---- a peer that is not our client: requests over one connection -----------------------------------

sub ask
{
	my ($peer, $operation, $body) = @_;
	my $socket = $peer->{socket};
	print $socket "POST /sync/v1/$operation HTTP/1.1\r\nHost: x\r\nAccept: application/vnd.sync.rows\r\n"
	  . ($peer->{ticket} ? "Authorization: Bearer $peer->{ticket}\r\n" : '') . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
	my ($head, $answer) = ('', '');
	my $left = sub {
		my ($size) = @_;
		while ($size > 0) { my $got = read($socket, $answer, $size, length $answer) or die 'the peer has gone'; $size -= $got; }
	};
	while (defined(my $line = <$socket>)) { last if $line eq "\r\n"; $head .= $line; }
	if ($head =~ /^Content-Length: (\d+)/mi) { $left->($1); }
	else
	{
		while (defined(my $line = <$socket>))
		{
			my $size = hex($line =~ s/\r\n\z//r);
			$left->($size);
			<$socket>;
			last if $size == 0;
		}
	}
	$peer->{answer} = $answer;
	$peer->{waits_for} = $head =~ /^Sync-Wait: (\w+)/mi ? $1 : '';
	my ($status) = $head =~ m{^HTTP/1.1 (\d+)} or die "no answer: $head";
	return $status . ($answer =~ /"sqlstate":"(\w+)"/ ? ":$1" : '');
}

sub stranger
{
	my ($token) = @_;
	my $peer = { socket => IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->{sync_port}) };
	$peer->{socket}->autoflush(1);
	is(ask($peer, 'connect', qq({"token": "$token"})), '200', 'a peer is let in');
	($peer->{ticket}) = $peer->{answer} =~ /"ticket":"([0-9a-f]{64})"/;
	return $peer;
}

my $hashes = '0123456789abcdef';
sub digest { my ($peer, $table) = @_; return ask($peer, 'digest', qq({"table": "$table", "columns": [{"name": "id"}], "seed": "$hashes", "encoding": "UTF8", "byte_order": "little"})); }
sub cells { my ($peer) = @_; return ask($peer, 'digest/cells', '{"bits": 12}'); }
sub only { my ($peer, $table) = @_; return ask($peer, 'rows', qq({"table": "$table", "only": "$hashes"})); }

# Tables that are not shared, or not any more.
my ($token, $name) = connection('{"allowed_tables": ["t"]}');
my $peer = stranger($token);
is(digest($peer, 'big'), '403:42501', 'a digest of a table that is not allowed');
is(cells($peer), '409:55000', 'made nothing');
is(only($peer, 'big'), '403:42501', 'rows of it');
is(digest($peer, 'nix'), '403:42501', 'a table that is not there is not told from it');
is(join(' ', digest($peer, 't'), cells($peer), only($peer, 't')), '200 200 200', 'one that is allowed');
$a->safe_psql('postgres', "UPDATE sync_connections SET allowed_tables = '{free}' WHERE name = '$name'");
is(join(' ', cells($peer), only($peer, 't'), digest($peer, 't')), '403:42501 403:42501 403:42501', 'no longer allowed: its digest, too, is of no use');
is(digest($peer, 'free'), '200', 'what is allowed instead');

# Tables that nobody has approved.
($token, $name) = connection('{"approval_mode": "require_approval"}');
$peer = stranger($token);
is(digest($peer, 't'), '403:42501', 'a digest without an approval');
is($peer->{waits_for}, 'approval', 'waits for it');
is(cells($peer), '409:55000', 'made nothing');
is(only($peer, 't'), '403:42501', 'rows of it');
is(transfers($name, 'table_name, status'), 't|pending_approval', 'it is asked for, once');
$a->safe_psql('postgres', q(SELECT sync_approve_transfer(uuid) FROM sync_transfers WHERE status = 'pending_approval'));
is(join(' ', digest($peer, 't'), cells($peer), only($peer, 't')), '200 200 200', 'it is approved');
wait_for(sub { transfers($name, 'status, records_requested, records_transferred') eq 'completed|1|0' }, 'it is completed');
is(ask($peer, 'open', '{"tables": ["t"]}'), '403:42501', 'what is opened after that has to be approved anew');
($token, $name) = connection('{"approval_mode": "per_table", "auto_approve_tables": ["free"]}');
$peer = stranger($token);
is(digest($peer, 'free'), '200', 'a table that needs no approval');
is(digest($peer, 't'), '403:42501', 'and one that does');
is(only($peer, 't'), '403:42501', 'its rows, too');
is(only($peer, 'free'), '200', 'the digest of the other is still there');
undef $peer;

# Our own client waits. Where nothing differs there are no rows to send, but the transfer has taken place.
($token, $name) = connection('{"approval_mode": "require_approval"}');
$peer = background($b, connects($token) . delta('t') x 2);
foreach my $round (1, 2)
{
	wait_for(sub { transfers($name, 'count(*)', q(AND status = 'pending_approval')) eq '1' }, "approval $round is asked for");
	$a->safe_psql('postgres', q(SELECT sync_approve_transfer(uuid) FROM sync_transfers WHERE status = 'pending_approval'));
}
is(finished($peer), "0|0|1000|0|delta\n" x 2, 'two transfers of what is equal, two approvals');
wait_for(sub { transfers($name, 'status, records_transferred, error_message IS NULL', 'ORDER BY inserted_at') eq "completed|0|t\ncompleted|0|t" }, 'both are completed');

# ---- the rate ------------------------------------------------------------------------------------

($token, $name) = connection('{"rate_limit_requests_per_minute": 5}');    # the first is that it connects
$peer = stranger($token);
is(join(' ', map { digest($peer, 't') } 1 .. 5), '200 200 200 200 429:53400', 'digests count as requests');
is($peer->{waits_for}, 'rate', 'for the rate one can wait');
undef $peer;
$a->safe_psql('postgres', 'UPDATE big SET v = id WHERE id % 40 = 0');
($token, $name) = connection('{"rate_limit_requests_per_minute": 30}');
is($b->safe_psql('postgres', connects($token) . ("SELECT sync_remote_get_count(:c, 'free') \\g /dev/null\n" x 29) . delta('big', ', dry_run => true')), '0|5000|195000|0|delta',
	'a transfer that compares waits for its turn');

# ---- records -------------------------------------------------------------------------------------

$a->safe_psql('postgres', q(UPDATE t SET v = 'new' WHERE id <= 200));
($token, $name) = connection('{"max_records_total": 250}');
is($b->safe_psql('postgres', connects($token) . delta('t', ', verify => true') . delta('t')), "0|200|800|0|delta\n0|0|1000|0|delta", 'more rows are compared than may be read');
wait_for(sub { column($name, 'records_downloaded') eq '200' }, 'those that moved are counted');
is(transfers($name, 'records_requested, records_transferred, status'), '200|200|completed', 'and in the history');
$a->safe_psql('postgres', q(UPDATE t SET v = 'newer' WHERE id <= 51));
fails_with($b, connects($token) . delta('t'), '53400', qr/record limit reached/, 'one row too many');
is($b->safe_psql('postgres', q(SELECT count(*) FROM t WHERE v = 'newer')), '0', 'nothing of it stays');
wait_for(sub { column($name, 'records_downloaded') eq '250' }, 'what was sent is counted');
fails_with($b, connects($token) . delta('t'), '53400', qr/record limit reached/, 'and no digest after that');
($token, $name) = connection('{"max_records_total": 51}');
is($b->safe_psql('postgres', connects($token) . delta('t')), '0|51|949|0|delta', 'what fits to the row');

# ---- a stored connection -------------------------------------------------------------------------

$a->safe_psql('postgres', 'DELETE FROM big WHERE id % 1000 = 1; INSERT INTO big SELECT -i FROM generate_series(1, 30) i');
($token, $name) = connection('{}');
$b->safe_psql('postgres', <<"SQL");
SELECT FROM sync_create_connection('head office', 'receiver', '$url', token => '$token');
UPDATE sync_connections SET status = 'active' WHERE name = 'head office';
SQL
is($b->safe_psql('postgres', q(SELECT sync_connect('head office') AS c \gset) . "\n" . delta('big', ', verify => true')), '30|5000|194800|200|delta', 'a large table over a stored connection');
is($b->safe_psql('postgres', q(SELECT sync_checksum('big'))), $a->safe_psql('postgres', q(SELECT sync_checksum('big'))), 'is equal');
wait_for(sub { transfers($name, 'count(*)') eq '1' }, 'the history has it');
is(transfers($name, 'direction, table_name, records_requested, records_transferred, status'), 'send|big|5030|5030|completed', 'with the rows that moved');
is(column($name, 'downloads_used, records_downloaded'), '1|5030', 'as the counters');

no_leftovers($a, 'in the end');
no_leftovers($b, 'in the end');
$_->stop foreach $a, $b;
done_testing();
