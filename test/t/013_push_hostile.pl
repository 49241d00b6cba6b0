# Whatever a pusher sends, only what it was allowed and has committed stays; whatever a receiver answers, the pusher ends.
use strict;
use warnings;
use lib 'perl';
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $a = new_sync_node('pusher');
my $b = new_sync_node('receiver', conf => "sync.max_connections = 20\nsync.idle_timeout = 3s\nsync.max_message_size = 64kB\n");
my $port = $b->{sync_port};
sub there { my ($sql) = @_; return $b->safe_psql('postgres', $sql); }
there(q(CREATE ROLE taker; GRANT EXECUTE ON FUNCTION sync_create_session TO taker; GRANT CREATE ON SCHEMA public TO taker;
	SET ROLE taker; CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, v text)));
my $definition = there(q(SELECT sync_get_schema('t')));

# A connection of a peer that has a ticket: requests go out as they are written, answers come back one by one.
sub admitted
{
	my (%options) = @_;
	my $code = new_code($b, direction => 'receive', role => 'taker', %options);
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die;
	$socket->autoflush(1);
	my $self = { socket => $socket, buffer => '' };
	my ($status, $body) = ask($self, 'POST', 'connect', qq({"code": "$code"}));
	($self->{ticket}) = $body =~ /"ticket":"([0-9a-f]{64})"/ or die "no ticket: $body";
	return $self;
}
sub head
{
	my ($self, $method, $path, @headers) = @_;
	push @headers, "Authorization: Bearer $self->{ticket}" if $self->{ticket};
	return join("\r\n", "$method /sync/v1/$path HTTP/1.1", 'Host: x', @headers, '', '');
}
sub put { my ($self, $bytes) = @_; local $SIG{PIPE} = 'IGNORE'; $self->{socket}->syswrite($bytes); return; }
# Status and body; status 'none' where the other side has closed, 'silent' where nothing comes.
sub answer
{
	my ($self, $seconds) = @_;
	my $select = IO::Select->new($self->{socket});
	my $end = time + ($seconds || 60);
	while (time < $end)
	{
		if ($self->{buffer} =~ /\A(HTTP\/1.1 (\d+).*?\r\n\r\n)/s)
		{
			my ($head, $status) = ($1, $2);
			my $length = $head =~ /Content-Length: (\d+)/i ? $1 : 0;
			if (length $self->{buffer} >= length($head) + $length)
			{
				my $body = substr($self->{buffer}, length($head), $length);
				substr($self->{buffer}, 0, length($head) + $length) = '';
				return ($status, $body);
			}
		}
		next unless $select->can_read(0.2);
		sysread($self->{socket}, $self->{buffer}, 65536, length $self->{buffer}) or return ('none', '');
	}
	return ('silent', '');
}
sub ask
{
	my ($self, $method, $path, $body) = @_;
	put($self, head($self, $method, $path, 'Content-Length: ' . length $body) . $body);
	return answer($self);
}
sub chunked { my (@pieces) = @_; return join('', map { sprintf("%x\r\n%s\r\n", length $_, $_) } grep { length $_ } @pieces) . "0\r\n\r\n"; }
sub rows { my ($self, @frames) = @_; put($self, head($self, 'POST', 'push/rows', 'Transfer-Encoding: chunked') . chunked(@frames)); return answer($self); }
sub frame { my ($kind, $payload, %set) = @_; return pack('a1 C n N', $kind, $set{flags} || 0, $set{reserved} || 0, $set{length} // length $payload) . $payload; }

sub opening
{
	my (%options) = @_;
	my $words = $options{options} || '{}';
	my @tables = @{ $options{tables} || ['t'] };
	return qq({"options": $words, "tables": [) . join(', ', map { qq({"name": "public.$_", "target": "$_", "opened": {"definition": ) . ($options{definition} || $definition) . '}}' } @tables) . ']}';
}
my $header = frame('H', '{"encoding": "UTF8", "columns": [{"name": "id", "binary": true, "width": 4}, {"name": "v", "binary": true, "width": -1}]}');
my $row = pack('C N C a*', 0, 7, 3, 'abc');
my $no_digest = pack('H*', '99aa06d3014798d86001c324468d497f');    # of nothing at all
my $end = frame('E', pack('Q>', 0) . $no_digest);

sub unchanged
{
	my ($name) = @_;
	wait_for(sub { there(q(SELECT count(*) FROM pg_locks WHERE relation IN ('t'::regclass, 'u'::regclass) AND pid <> pg_backend_pid())) eq '0' }, "$name: no lock is left");
	is(there(q(SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u))), '0|0', "$name: nothing stays");
	return;
}

# ---- what should be ------------------------------------------------------------------------------

{
	my $peer = admitted();
	my ($status, $body) = ask($peer, 'POST', 'push/open', opening());
	is($status, 200, 'a push opens');
	like($body, qr/\A\{"rows":\{"table":"public.t","columns":\[\{"name":"id","binary":true\},\{"name":"v","binary":true\}\]/, 'the receiver says what it wants');
	is(there(q(SELECT state FROM sync_peers())), 'push/open', 'it is shown');
	($status, $body) = rows($peer, $header, $end);
	is($status, 200, 'rows, if none');
	like($body, qr/\A\{"outcomes":\[\{"name":"public.t","created":0,/, 'the outcome');
	($status, $body) = ask($peer, 'POST', 'push/commit', '');
	is("$status $body", '200 {"committed":true}', 'the commit');
	($status, $body) = ask($peer, 'POST', 'push/open', opening());
	is($status, 200, 'another push on the connection');
	put($peer, head($peer, 'POST', 'push/rows', 'Transfer-Encoding: chunked', 'Expect: 100-continue'));
	is((answer($peer))[0], 100, 'Expect: 100-continue');
	put($peer, chunked(split //, "$header$end"));
	is((answer($peer))[0], 200, 'byte by byte');
	is((ask($peer, 'POST', 'push/commit', 'whatever' x 1000))[0], 200, 'what is in a commit does not matter');
}

# ---- out of order --------------------------------------------------------------------------------

foreach my $case ([ 'POST', 'push/rows', 409 ], [ 'POST', 'push/commit', 409 ], [ 'GET', 'push/open', 404 ], [ 'DELETE', 'push/commit', 404 ], [ 'POST', 'push/', 404 ],
	[ 'POST', 'push/openly', 404 ], [ 'POST', 'open', 403 ], [ 'POST', 'rows', 403 ], [ 'GET', 'tables', 403 ])
{
	my ($method, $path, $expected) = @$case;
	my $peer = admitted();
	is((ask($peer, $method, $path, opening()))[0], $expected, "$method $path without a push");
	is((ask($peer, 'POST', 'push/open', opening()))[0], 200, 'harms nothing');
}
foreach my $second ([ 'POST', 'push/open' ], [ 'POST', 'push/commit' ], [ 'GET', 'push/rows' ], [ 'GET', 'tables' ], [ 'DELETE', 'connect' ], [ 'GET', 'session' ], [ 'POST', 'connect' ])
{
	my ($method, $path) = @$second;
	my $peer = admitted();
	ask($peer, 'POST', 'push/open', opening());
	my ($status, $body) = ask($peer, $method, $path, opening());
	is($status, 400, "$method $path in the place of rows");
	like($body, qr/out of order/, 'it is told');
	unchanged("$method $path");
}
{
	my $peer = admitted();
	ask($peer, 'POST', 'push/open', opening());
	$peer->{ticket} = 'f' x 64;
	is((rows($peer, $header, $end))[0], 401, 'a wrong ticket in the middle of a push');
	unchanged('a wrong ticket');
	$peer = admitted();
	ask($peer, 'POST', 'push/open', opening());
	rows($peer, $header, $end);
	is((rows($peer, $header, $end))[0], 400, 'rows in the place of the commit');
	$peer = admitted();
	ask($peer, 'POST', 'push/open', opening());
	put($peer, "garbage\r\n\r\n");
	is((answer($peer))[0], 400, 'no HTTP in the middle of a push');
	unchanged('no HTTP');
}

# ---- openings ------------------------------------------------------------------------------------

my %openings = (
	'nothing' => [ '', 400 ],
	'no JSON' => [ '{"options"', 400 ],
	'an array' => [ '[]', 400 ],
	'no options' => [ '{"tables": []}', 400 ],
	'tables that are none' => [ '{"options": {}, "tables": 5}', 400 ],
	'a table without a definition' => [ '{"options": {}, "tables": [{"name": "t", "target": "t", "opened": {}}]}', 400 ],
	'an unknown option' => [ opening(options => '{"no_checks": true}'), 500 ],
	'a strategy that is none' => [ opening(options => '{"strategy": "nonsense"}'), 403 ],
	'a strategy for one table' => [ opening(options => '{"strategies": {"t": "overwrite"}}'), 403 ],
	'triggers that are skipped' => [ opening(options => '{"triggers": "skip"}'), 403 ],
	'deletes' => [ opening(options => '{"max_deletes": 1}'), 403 ],
	'a huge batch' => [ opening(options => '{"batch_size": -1}'), 400 ],
	'one target twice' => [ opening(tables => [ 't', 't' ]), 400 ],
	'a catalog' => [ opening(tables => ['pg_catalog.pg_authid']), 400 ],
	'our own table' => [ opening(tables => ['sync_settings']), 403 ],
	'a table that is not there' => [ opening(tables => ['t; DROP TABLE u']), 400 ],
	'a quoted one' => [ opening(tables => ['\"t\"\"; DROP TABLE u --\"']), 404 ],
	'a name with NUL' => [ opening(tables => ['t\u0000']), 400 ],
	'columns that are not there' => [ opening(definition => '{"table": "t", "columns": [{"name": "id", "type": "integer"}, {"name": "evil", "type": "text"}]}'), 400 ],
	'too much' => [ opening(definition => '{"x": "' . ('x' x 100000) . '"}'), 413 ],
	'deep' => [ '{"options": {}, "tables": ' . ('[' x 5000) . (']' x 5000) . '}', 400 ],
);
foreach my $what (sort keys %openings)
{
	my ($body, $expected) = @{ $openings{$what} };
	my $peer = admitted();
	is((ask($peer, 'POST', 'push/open', $body))[0], $expected, "opening: $what");
	unchanged($what);
}
{
	# A table is made only from what is no code, under the name that was said, and goes with the push.
	my $options = '{"create_tables": true}';
	my $evil = '{"table": "x", "columns": [{"name": "id", "type": "integer", "nullable": false, "default": "pg_terminate_backend(1)"}, {"name": "a\"; DROP TABLE t; --", "type": "text"}], "primary_key": ["id"]}';
	my $peer = admitted(options => $options);
	my ($status) = ask($peer, 'POST', 'push/open', opening(tables => ['\"x; DROP TABLE u\"'], definition => $evil));
	is($status, 200, 'a strange table can be made');
	is(there(q(SELECT count(*) FROM pg_class WHERE relname LIKE 'x;%')), '0', 'nobody sees it');
	close $peer->{socket};
	unchanged('a strange table');
	is(there(q(SELECT count(*) FROM pg_class WHERE relname LIKE 'x;%')), '0', 'it has gone');
	$peer = admitted(options => $options);
	is((ask($peer, 'POST', 'push/open', opening(tables => ['y'], definition => '{"table": "y", "columns": [{"name": "id", "type": "integer); DROP TABLE t; --"}]}')))[0], 400, 'a type that is none');
	unchanged('a type that is none');
}

# ---- streams -------------------------------------------------------------------------------------

sub columns { my (@columns) = @_; return frame('H', '{"encoding": "UTF8", "columns": [' . join(', ', map { qq({"name": "$_->[0]", "binary": $_->[1], "width": $_->[2]}) } @columns) . ']}'); }
my @good = ([ 'id', 'true', 4 ], [ 'v', 'true', -1 ]);
my $data = frame('D', pack('N', 1) . $row);
my %streams = (
	'nothing' => [],
	'no header' => [ $data, $end ],
	'a header twice' => [ $header, $header, $end ],
	'a header that is no JSON' => [ frame('H', '{'), $end ],
	'another encoding' => [ $header =~ s/UTF8/BIG5/r, $end ],
	'one column more' => [ columns(@good, [ 'w', 'true', -1 ]), $end ],
	'one column less' => [ columns($good[0]), $end ],
	'other names' => [ columns([ 'id', 'true', 4 ], [ 'w', 'true', -1 ]), $end ],
	'another order' => [ columns(reverse @good), $end ],
	'another form' => [ columns([ 'id', 'false', -1 ], [ 'v', 'true', -1 ]), $end ],
	'another width' => [ columns([ 'id', 'true', 8 ], [ 'v', 'true', -1 ]), frame('D', pack('N', 1) . $row), $end ],
	'a thousand columns' => [ columns(map { [ "c$_", 'true', 4 ] } 1 .. 1000), $end ],
	'an unknown frame' => [ $header, frame('Z', 'x'), $end ],
	'unknown flags' => [ $header, frame('D', pack('N', 1) . $row, flags => 2), $end ],
	'reserved bits' => [ $header, frame('D', pack('N', 1) . $row, reserved => 1), $end ],
	'no zstd' => [ $header, frame('D', 'garbage' x 10, flags => 1), $end ],
	'rows that are cut' => [ $header, frame('D', pack('N', 2) . $row), $end ],
	'rows too many' => [ $header, frame('D', pack('N', 4_000_000_000) . $row), $end ],
	'bytes behind the rows' => [ $header, frame('D', pack('N', 1) . $row . 'x'), $end ],
	'a value too long' => [ $header, frame('D', pack('N C N C5 a*', 1, 0, 7, 0xff, 0xff, 0xff, 0xff, 0x07, 'abc')), $end ],
	'a length that is none' => [ $header, frame('D', pack('N C N C6', 1, 0, 7, (0xff) x 6)), $end ],
	'text that is none' => [ $header, frame('D', pack('N C N C a*', 1, 0, 7, 2, "\xff\xfe")), $end ],
	'text with NUL' => [ $header, frame('D', pack('N C N C a*', 1, 0, 7, 1, "\0")), $end ],
	'a null key' => [ $header, frame('D', pack('N C C a*', 1, 1, 3, 'abc')), $end ],
	'a frame that promises a gigabyte' => [ $header, frame('D', 'x', length => 0x3fffffff) ],
	'a frame that promises four' => [ $header, frame('D', 'x', length => 0xffffffff) ],
	'a header that promises a gigabyte' => [ frame('H', 'x', length => 0x3fffffff) ],
	'no end' => [ $header, $data ],
	'half an end' => [ $header, $data, substr($end, 0, 20) ],
	'a wrong count' => [ $header, $data, frame('E', pack('Q>', 2) . $no_digest) ],
	'a wrong digest' => [ $header, $data, frame('E', pack('Q>', 1) . $no_digest) ],
	'an end of another size' => [ $header, frame('E', 'x') ],
	'something behind the end' => [ $header, $end, 'x' ],
	'a second stream' => [ $header, $end, $header, $end ],
	'an error' => [ $header, $data, frame('X', '{"error": {"sqlstate": "22000", "message": "no more"}}') ],
	'an error that is none' => [ $header, $data, frame('X', 'x') ],
);
foreach my $what (sort keys %streams)
{
	my $peer = admitted();
	is((ask($peer, 'POST', 'push/open', opening()))[0], 200, 'a push opens');
	my ($status, $body) = rows($peer, @{ $streams{$what} });
	# Where a row is at fault they are wanted once more, to find out which.
	($status, $body) = rows($peer, @{ $streams{$what} }) if $body =~ /\A\{"rows"/;
	like($status, qr/^(400|500|404)$/, "stream: $what");
	like($body, qr/"sqlstate":"(08P01|2|XX000)/, 'says why') or diag($body);
	is((ask($peer, 'POST', 'push/commit', ''))[0], 409, 'there is nothing to be committed');
	unchanged($what);
}
# Broken below the stream, or cut.
my $begin = sub { my $peer = admitted(); ask($peer, 'POST', 'push/open', opening()); put($peer, head($peer, 'POST', 'push/rows', 'Transfer-Encoding: chunked')); return $peer; };
foreach my $case ([ 'no chunk', "zz\r\n" ], [ 'a negative chunk', "-1\r\nx\r\n" ], [ 'a chunk of another size', "1\r\nabc\r\n" ], [ 'a giant size', ('f' x 20) . "\r\nabc" ])
{
	my $peer = $begin->();
	put($peer, $case->[1]);
	is((answer($peer))[0], 400, $case->[0]);
	unchanged($case->[0]);
}
{
	my $peer = $begin->();
	put($peer, "7fffffffffffffff\r\n$header");
	close $peer->{socket};
	unchanged('a giant chunk that is cut');
	$peer = $begin->();
	put($peer, sprintf("%x\r\n%s\r\n", length $header, $header));
	shutdown($peer->{socket}, 1);
	is((answer($peer))[0], 'none', 'a body that is cut');
	unchanged('a body that is cut');
}
# One that goes silent, in any phase, holds nothing for longer than sync.idle_timeout.
foreach my $phase ('after the opening', 'in the rows', 'before the commit')
{
	my $peer = $phase eq 'in the rows' ? $begin->() : admitted();
	ask($peer, 'POST', 'push/open', opening()) unless $phase eq 'in the rows';
	put($peer, sprintf("%x\r\n%s\r\n", length $header, $header)) if $phase eq 'in the rows';
	rows($peer, $header, $end) if $phase eq 'before the commit';
	my $began = time;
	is((answer($peer, 60))[0], 'none', "silence $phase ends the connection");
	cmp_ok(time - $began, '<', 30, 'after a time');
	unchanged("silence $phase");
}
# A pusher that does not stop when it has been refused is cut off.
{
	my $peer = $begin->();
	put($peer, chunked(frame('Z', 'x')) =~ s/0\r\n\r\n\z//r);
	is((answer($peer))[0], 400, 'the answer comes before the end');
	put($peer, "0\r\n\r\n");
	is((ask($peer, 'POST', 'push/open', opening()))[0], 200, 'one that stops then can go on');
	$peer = $begin->();
	put($peer, chunked(frame('Z', 'x')) =~ s/0\r\n\r\n\z//r);
	answer($peer);
	is((answer($peer, 60))[0], 'none', 'one that does not is not waited for');
	unchanged('a pusher that does not stop');
}

# ---- receivers that are none ---------------------------------------------------------------------

$a->safe_psql('postgres', q(CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i));
sub read_request
{
	my ($c, $buffer) = @_;
	while ($$buffer !~ /\r\n\r\n/) { sysread($c, $$buffer, 65536, length $$buffer) or POSIX::_exit(0); }
	my ($head, $rest) = $$buffer =~ /\A(.*?\r\n\r\n)(.*)\z/s;
	if ($head =~ /chunked/)
	{
		while ($rest !~ /(?:\A|\r\n)0\r\n\r\n\z/) { sysread($c, $rest, 65536, length $rest) or POSIX::_exit(0); }
		$rest = '';
	}
	my $length = $head =~ /Content-Length: (\d+)/i ? $1 : 0;
	while (length $rest < $length) { sysread($c, $rest, 65536, length $rest) or POSIX::_exit(0); }
	$$buffer = substr($rest, $length);
	return $head =~ m{\A(\S+ \S+)} ? $1 : '';
}
# A receiver that answers as a script says: what a request begins with, to the status and body; without an answer it closes.
sub receiver
{
	my (%answers) = @_;
	return fake_peer(
		sub {
			my ($c) = @_;
			my $buffer = '';
			my %all = ('GET /sync/v1/' => '{"protocol": "sync", "versions": [1], "software": "x"}', 'POST /sync/v1/connect' => '{"ticket": "' . ('a' x 64) . '", "direction": "receive"}', %answers);
			while (1)
			{
				my $request = read_request($c, \$buffer);
				my $body = $all{$request} or return;
				my $status = $body =~ /^\{"error"/ ? 400 : 200;
				print $c "HTTP/1.1 $status X\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
			}
		});
}
my $wants = '{"rows": {"table": "public.t", "columns": [{"name": "id", "binary": true}, {"name": "v"}], "encoding": "UTF8"}}';
my $done = '{"outcomes": [{"name": "public.t", "created": 100, "updated": 0, "skipped": 0, "deleted": 0, "errors": [], "error_count": 0}]}';
my ($open, $rows, $commit) = map { "POST /sync/v1/push/$_" } 'open', 'rows', 'commit';
my @receivers = (
	[ 'no JSON', { $open => 'hello' }, '08P01' ],
	[ 'nothing wanted, nothing told', { $open => '{}' }, '08P01' ],
	[ 'an outcome for nothing', { $open => '{"outcomes": []}' }, '08P01', qr/does not tell/ ],
	[ 'another table', { $open => $wants =~ s/public.t/public.secret/r }, '08P01', qr/table that was not pushed/ ],
	[ 'a column that is none', { $open => $wants =~ s/"v"/"v FROM pg_authid; --"/r }, '42703' ],
	[ 'a lost connection in the rows', { $open => $wants }, '08006' ],
	[ 'an outcome of another table', { $open => $wants, $rows => $done =~ s/public.t/public.x/r }, '08P01' ],
	[ 'errors that are none', { $open => $wants, $rows => $done =~ s/\[\], "error_count"/5, "error_count"/r }, '08P01' ],
	[ 'an error', { $open => $wants, $rows => '{"error": {"sqlstate": "23505", "message": "no", "detail": "d"}}' }, '23505', qr/remote: d/ ],
	[ 'no answer to the commit', { $open => $wants, $rows => $done }, '08007', qr/outcome of the push is unknown.*HINT/s ],
	[ 'an error in answer to it', { $open => $wants, $rows => $done, $commit => '{"error": {"sqlstate": "23503", "message": "no"}}' }, '23503' ],
);
foreach my $case (@receivers)
{
	my ($what, $answers, $sqlstate, $text) = @$case;
	my $fake = receiver(%$answers);
	fails_with($a, "SELECT sync_connect('http://localhost:$fake', 'ABCDEFGH') AS c \\gset\nSELECT sync_push(:c, 't');", $sqlstate, $text, "a receiver with $what");
}
my $fake = receiver($open => $wants, $rows => $done, $commit => '{"committed": true}');
is($a->safe_psql('postgres', "SELECT sync_connect('http://localhost:$fake', 'ABCDEFGH') AS c \\gset\nSELECT created FROM sync_push(:c, 't');"), '100', 'one that answers as it should');
# One that wants the same rows for ever is left when the caller has enough.
$fake = receiver($open => $wants, $rows => $wants);
fails_with($a, "SELECT sync_connect('http://localhost:$fake', 'ABCDEFGH') AS c \\gset\nSET statement_timeout = '1s';\nSELECT sync_push(:c, 't');", '57014', qr/statement timeout/, 'one that wants the same again and again');

no_leftovers($b, 'receiver');
no_leftovers($a, 'pusher');
done_testing();
