# What a re-sync costs on the wire, in round trips and memory; peers that cannot compare; requests that nobody of ours
# would make.
use strict;
use warnings;
use lib 'perl';
use IO::Select;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(usleep);

my $a = new_sync_node('sender', conf => "sync.max_sessions = 1000\n");
my $b = new_sync_node('receiver');
my $rows = 200_000;
foreach my $node ($a, $b)
{
	$node->safe_psql('postgres', 'CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))');
	$node->safe_psql('postgres', "INSERT INTO accounts SELECT i, i / 100000, 0, '' FROM generate_series(1, $rows) i; VACUUM ANALYZE accounts");
}
my $size = $a->safe_psql('postgres', q(SELECT pg_table_size('accounts')));

# Hands bytes on between a client and the sender, and writes what has crossed to a file: bytes either way, and how often
# the client spoke after an answer. The sender's features are told with $from in place of $to.
my ($from, $to) = ('', '');
my $log = PostgreSQL::Test::Utils::tempdir('proxy') . '/log';
sub relay
{
	my ($client) = @_;
	my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->{sync_port}) or die "connect: $!";
	my ($trips, $last, $in, $out) = (0, 'server', 0, 0);
	my $select = IO::Select->new($client, $server);
	LOOP: while (1)
	{
		foreach my $ready ($select->can_read)
		{
			my $got = sysread($ready, my $bytes, 65536);
			last LOOP unless $got;
			if ($ready == $client) { $trips++ if $last eq 'server'; $last = 'client'; $out += $got; }
			else { $last = 'server'; $in += $got; $bytes =~ s/\Q$from\E/$to/ if $from; }
			my $other = $ready == $client ? $server : $client;
			while (length $bytes) { my $sent = syswrite($other, $bytes) or last LOOP; substr($bytes, 0, $sent) = ''; }
			open my $file, '>', "$log.new" or die;
			print $file "$trips $in $out";
			close $file;
			rename "$log.new", $log;
		}
	}
}
my $proxy = fake_peer(\&relay);

sub crossed { return split / /, slurp_file($log); }
sub through
{
	my ($sql, $port) = @_;
	my $code = new_code($a);
	return "SELECT sync_connect('http://127.0.0.1:" . ($port // $proxy) . "', '$code') AS c \\gset\n$sql\n";
}
# Runs a transfer and returns its counts and mode, and how many round trips and bytes it took.
sub measured
{
	my ($call) = @_;
	my $out = $b->safe_psql('postgres', through("\\! cp $log $log.before\nSELECT created, updated, skipped, deleted, mode FROM $call;\n\\! cp $log $log.after"));
	my ($before, $after) = map { [ split / /, slurp_file("$log.$_") ] } qw(before after);
	return ($out, map { $after->[$_] - $before->[$_] } 0 .. 2);
}

foreach my $strategy (qw(skip overwrite merge mirror))
{
	my ($out, $trips, $in, $sent) = measured("sync_transfer(:c, 'accounts', strategy => '$strategy')");
	is($out, "0|0|$rows|0|delta", "$strategy: nothing has changed");
	cmp_ok($trips, '<=', 6, 'round trips');
	cmp_ok($in + $sent, '<', $size / 1000, "less than a thousandth of the table's bytes");
}
$a->safe_psql('postgres', "UPDATE accounts SET abalance = aid WHERE aid % 1000 = 7; DELETE FROM accounts WHERE aid % 10000 = 5; INSERT INTO accounts SELECT i, 0, 0, 'new' FROM generate_series($rows + 1, $rows + $rows / 10000) i");
foreach my $strategy (qw(skip overwrite mirror))
{
	my ($out, $trips, $in, $sent) = measured("sync_transfer(:c, 'accounts', strategy => '$strategy', dry_run => true)");
	my $updated = $strategy eq 'skip' ? 0 : $rows / 1000;
	my $skipped = $rows - $rows / 10000 - $updated;
	my $deleted = $strategy eq 'mirror' ? $rows / 10000 : 0;
	is($out, $rows / 10000 . "|$updated|$skipped|$deleted|delta", "$strategy: a little has changed");
	cmp_ok($trips, '<=', 6, 'round trips');
	my $moved = $a->safe_psql('postgres', "SELECT sum(pg_column_size(a)) FROM accounts a WHERE aid % 1000 = 7 OR aid > $rows");
	cmp_ok($in + $sent, '<', 3 * $moved, "less than three times the bytes of what has changed");
}
my ($before, $wal) = ($b->safe_psql('postgres', q(SELECT pg_current_wal_insert_lsn())));
is((measured(q(sync_transfer(:c, 'accounts', strategy => 'mirror', verify => true))))[0], '20|200|199780|20|delta', 'carried out, and verified');
is($b->safe_psql('postgres', q(SELECT sync_checksum('accounts'))), $a->safe_psql('postgres', q(SELECT sync_checksum('accounts'))), 'equal');
$before = $b->safe_psql('postgres', 'SELECT pg_stat_force_next_flush(); SELECT n_tup_upd + n_tup_ins + n_tup_del FROM pg_stat_user_tables') =~ s/^\n//r;
measured(q(sync_transfer(:c, 'accounts', strategy => 'overwrite')));
is($b->safe_psql('postgres', 'SELECT pg_stat_force_next_flush(); SELECT n_tup_upd + n_tup_ins + n_tup_del FROM pg_stat_user_tables') =~ s/^\n//r, $before, 'nothing is written where nothing differs');

# sync_diff() goes the same way.
sub differing { my ($what, $limit) = @_; return b_through("SELECT $what FROM sync_diff(:c, 'accounts'" . ($limit ? ", row_limit => $limit" : '') . ')'); }
sub b_through { my ($query) = @_; return $b->safe_psql('postgres', through("\\! cp $log $log.before\n$query;\n\\! cp $log $log.after")); }
sub bytes_crossed { my ($x, $y) = map { [ split / /, slurp_file("$log.$_") ] } qw(before after); return $y->[1] - $x->[1] + $y->[2] - $x->[2]; }
is(differing('*'), '', 'sync_diff: equal');
cmp_ok(bytes_crossed(), '<', $size / 1000, 'costs next to nothing');
$a->safe_psql('postgres', q(UPDATE accounts SET abalance = -1 WHERE aid IN (1, 1000, 100000); DELETE FROM accounts WHERE aid = 50; INSERT INTO accounts VALUES (-5, 0, 0, 'x')));
$b->safe_psql('postgres', q(DELETE FROM accounts WHERE aid = 1000; INSERT INTO accounts VALUES (300000, 0, NULL, 'y')));
is(differing(q(kind, key, local ->> 'abalance', remote ->> 'abalance')), <<'OUT' =~ s/\n\z//r, 'sync_diff: in the order of the key');
insert|{"aid": -5}||0
update|{"aid": 1}|0|-1
delete|{"aid": 50}|0|
insert|{"aid": 1000}||-1
update|{"aid": 100000}|0|-1
delete|{"aid": 300000}||
OUT
cmp_ok(bytes_crossed(), '<', $size / 500, 'costs little');
is(differing('kind', 2), "insert\nupdate", 'as many as are wanted');
measured(q(sync_transfer(:c, 'accounts', strategy => 'mirror')));
is(differing('count(*)'), '0', 'equal again');

# ---- memory --------------------------------------------------------------------------------------

foreach my $share (0, 20)
{
	$a->safe_psql('postgres', "UPDATE accounts SET bid = bid + 1 WHERE aid % 100 < $share") if $share;
	# It waits until it is known which processes to look at.
	my $go = PostgreSQL::Test::Utils::tempdir() . '/go';
	my $transfer = background($b, "SELECT 'backend ' || pg_backend_pid();\n" . pull_script($a, "\\! until [ -e '$go' ]; do sleep 0.05; done\n" . q(SELECT updated, mode FROM sync_transfer(:c, 'accounts', strategy => 'mirror');)));
	my (%peak, %pid);
	while ($transfer->{run}->pumpable)
	{
		$pid{receiver} ||= $1 if $transfer->{out} =~ /^backend (\d+)$/m;
		$pid{sender} ||= $a->safe_psql('postgres', 'SELECT pid FROM sync_peers()');
		append_to_file($go, '') if $pid{receiver} && $pid{sender};
		foreach my $side (grep { $pid{$_} } qw(sender receiver)) { my $dirty = private_dirty($pid{$side}); $peak{$side} = $dirty if $dirty > ($peak{$side} // 0); }
		$transfer->{run}->pump_nb;
		usleep(20_000);
	}
	finished($transfer);
	like($transfer->{out}, qr/\|delta/, "$share %: compared");
	foreach my $side (qw(sender receiver))
	{
		cmp_ok($peak{$side} // 0, '>', 0, "memory was measured: $side");
		cmp_ok($peak{$side} // 0, '<', 64 * 1024, 'it is modest');
	}
}

# ---- peers that cannot ---------------------------------------------------------------------------

($from, $to) = ('"digest"', '"dagest"');
my $old = fake_peer(\&relay);
my ($ret, $stdout, $stderr) = $b->psql('postgres', through(q(SELECT skipped, mode FROM sync_transfer(:c, 'accounts', mode => 'delta');), $old));
is($stdout, '200000|full', 'a peer without the feature');
like($stderr, qr/NOTICE:  all rows of table "accounts" are transferred: the peer offers no comparison/, 'which is said');
$a->safe_psql('postgres', q(CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0));
$a->safe_psql('bytes', 'CREATE EXTENSION sync; SELECT sync_enable(); CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)); INSERT INTO accounts VALUES (1, 1, 1, 1)');
my $code = new_code($a, db => 'bytes');
($ret, $stdout, $stderr) = $b->psql('postgres', "SELECT sync_connect('" . sync_url($a) . "', '$code') AS c \\gset\nSELECT skipped, mode FROM sync_transfer(:c, 'accounts', mode => 'delta');");
is($stdout, '1|full', 'a peer in SQL_ASCII');
like($stderr, qr/NOTICE:  .*: text cannot be compared with that of a database in encoding SQL_ASCII/, 'which is said');

# Encodings that are converted do not matter.
$a->safe_psql('postgres', q(CREATE TABLE words (id int PRIMARY KEY, v text, c varchar(20), n name); INSERT INTO words SELECT i, 'ä' || i, 'ö', 'ü' FROM generate_series(1, 1000) i));
$b->safe_psql('postgres', q(CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0));
$b->safe_psql('latin', 'CREATE EXTENSION sync');
my $words = q(SELECT created, updated, skipped, mode FROM sync_transfer(:c, 'words', strategy => 'overwrite', mode => 'delta'););
is(run_script($b, $a, "SELECT created FROM sync_transfer(:c, 'words');\n$words", to_db => 'latin'), "1000\n0|0|1000|delta", 'LATIN1 and UTF8');

# What is stored of jsonb is in the encoding: here the same bytes are another text.
$a->safe_psql('postgres', q(CREATE TABLE docs (id int PRIMARY KEY, j jsonb); INSERT INTO docs SELECT i, jsonb_build_object('a', U&'\00E9') FROM generate_series(1, 10) i));
my $docs = q(SELECT created, updated, skipped, mode FROM sync_transfer(:c, 'docs', strategy => 'overwrite', mode => 'delta'););
is(run_script($b, $a, "SELECT created FROM sync_transfer(:c, 'docs');\nUPDATE docs SET j = jsonb_build_object('a', chr(195) || chr(169)) WHERE id = 3;\n$docs", to_db => 'latin'),
	"10\n0|1|9|delta", 'jsonb in LATIN1 and UTF8');

# ---- requests ------------------------------------------------------------------------------------

$a->safe_psql('postgres', 'CREATE TABLE odd (id int PRIMARY KEY, c regclass, v text); INSERT INTO odd SELECT i FROM generate_series(1, 10) i; CREATE TABLE hidden (id int PRIMARY KEY)');
my $hashes = '0123456789abcdef';
sub digest
{
	my ($columns, %other) = @_;
	my %request = (table => '"odd"', columns => $columns, seed => "\"$hashes\"", encoding => '"UTF8"', byte_order => '"little"', %other);
	return [ digest => '{' . join(', ', map { "\"$_\": $request{$_}" } grep { defined $request{$_} } sort keys %request) . '}' ];
}
# Sends the requests over one connection and returns their statuses with the SQLSTATEs.
sub answers
{
	my (@requests) = @_;
	my $session = new_code($a, tables => "ARRAY['odd'::regclass, 'accounts']");
	my $reply = http_request($a->{sync_port}, "POST /sync/v1/connect HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{\"code\":\"$session\"}");
	my ($ticket) = $reply =~ /"ticket":"([0-9a-f]{64})"/ or die "no ticket: $reply";
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the connection ends');
	my $bytes = '';
	foreach my $i (0 .. $#requests)
	{
		my ($operation, $body) = @{ $requests[$i] };
		$bytes .= "POST /sync/v1/$operation HTTP/1.1\r\nHost: x\r\nAccept: application/vnd.sync.rows\r\nAuthorization: Bearer $ticket\r\nContent-Length: " . length($body) . "\r\n"
		  . ($i == $#requests ? "Connection: close\r\n" : '') . "\r\n$body";
	}
	my $all = http_request($a->{sync_port}, $bytes);
	my @answers;
	foreach my $answer (split /HTTP\/1\.1 /, $all)
	{
		my ($status) = $answer =~ /^(\d+)/ or next;
		my ($sqlstate) = $answer =~ /"sqlstate":"(\w+)"/;
		push @answers, $status . ($sqlstate ? ":$sqlstate" : '');
	}
	return "@answers";
}
my $good = digest('[{"name": "id", "image": true}, {"name": "c"}]');
is(answers($good, [ 'digest/cells', '{"bits": 18}' ], [ rows => qq({"table": "odd", "only": "$hashes"}) ]), '200 200 200', 'requests that are right');
foreach my $case (
	[ digest('[{"name": "nix"}]'), '400:42703', 'a column that is not there' ],
	[ digest('[]'), '400:22023', 'no columns' ],
	[ digest('[' . join(',', ('{"name": "id"}') x 4) . ']'), '400:22023', 'more columns than there are' ],
	[ digest('[{"name": "c", "image": true}]'), '400:22023', 'an image that means nothing elsewhere' ],
	[ digest('[{"name": "id"}]', seed => '"0"'), '400:08P01', 'no seed' ],
	[ digest('[{"name": "id"}]', seed => undef), '400:08P01', 'none at all' ],
	[ digest('[{"name": "id"}]', byte_order => '"middle"'), '500:0A000', 'another byte order' ],
	[ digest('[{"name": "id"}]', encoding => '"SQL_ASCII"'), '500:0A000', 'bytes without an encoding' ],
	[ digest('[{"name": "id"}]', table => '"hidden"'), '403:42501', 'a table that is not shared' ],
	[ digest('[{"name": "id"}]', table => '"missing"'), '404:42P01', 'one that is not there' ],
	[ digest('7'), '400:08P01', 'columns that are none' ],
	[ [ 'digest/cells', '{"bits": 10}' ], '409:55000', 'cells of nothing' ],
	[ [ 'digest/cells', '{"bits": 19}' ], '400:22023', 'too many cells' ],
	[ [ 'digest/cells', '{"bits": -1}' ], '400:22023', 'cells below none' ],
	[ [ rows => qq({"table": "odd", "only": "$hashes"}) ], '200:55000', 'rows without a digest' ],
	[ [ rows => qq({"table": "odd", "only": "12"}) ], '400:08P01', 'half a hash' ],
	[ [ rows => qq({"table": "odd", "only": "$hashes", "limit": 3}) ], '400:22023', 'a page of named rows' ])
{
	my ($request, $expected, $name) = @$case;
	is(answers($request), $expected, $name);
	# What went before is of no use then, or still is; the connection goes on.
	like(answers($good, $request, $good), qr/^200 \S+ 200$/, "$name: the connection goes on");
}
is(answers($good, [ rows => qq({"table": "accounts", "only": "$hashes"}) ]), '200 200:55000', 'rows of another table than that');

no_leftovers($a, 'in the end');
done_testing();
