# PhoenixKit sites by code, over a WebSocket: what is asked of them, what their answers are taken for,
# and that no quirk of theirs does harm. The site is played by interop/phoenix_sender.py.
use strict;
use warnings;
use lib 'perl';
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_sync_node('receiver');
$node->safe_psql('postgres', q(
	CREATE TABLE items (id int PRIMARY KEY, name text);
	CREATE FUNCTION digest() RETURNS text LANGUAGE sql AS
		$$SELECT count(*) || ' ' || coalesce(sum(id), 0) || ' ' || count(DISTINCT id) FROM items$$));

my @columns = (column('id', 'integer', nullable => JSON::PP::false), column('name', 'character varying', max_length => 20));
sub items { return map { qq({"id":$_,"name":"n$_"}) } @_; }
my %items = (columns => \@columns, key => ['id']);
my %tables = (
	items => { %items, rows => [ items(1 .. 2500) ] },
	empty => { %items, rows => [] },
	thousand => { %items, rows => [ items(1 .. 1000) ] });

# A play has a code of its own, for each can be used once.
my %codes;
my $next = 0;
my @letters = split //, '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
sub play
{
	my (%play) = @_;
	my $code = sprintf('PKTEST%s%s', $letters[ int($next / 31) ], $letters[ $next % 31 ]);
	$next++;
	$codes{$code} = \%play;
	return $code;
}

my %play = (
	plain => play(),
	again => play(),
	auto => play(),
	path => play(),
	full_path => play(),
	first_release => play(version => '1.7.80', instead => { 'request:schema' => 1011 }),
	no_version => play(version => ''),
	crash => play(version => '1.7.80', instead => { 'request:records' => 1011 }),
	schema_crash => play(instead => { 'request:schema' => 1011 }),
	page => play(page => 300),
	more => play(more => JSON::PP::true),
	same => play(same => JSON::PP::true, more => JSON::PP::true),
	same_unkeyed => play(same => JSON::PP::true, more => JSON::PP::true, tables => { items => { columns => \@columns, rows => [ items(1 .. 2500) ] } }),
	twice => play(twice => JSON::PP::true),
	late => play(
		before => { map { $_ => [
				'[null,null,"TOPIC","response:count",{"count":1,"ref":"1"}]',
				'[null,null,"TOPIC","response:records",{"records":[{"id":-1}],"offset":0,"has_more":false,"ref":"999"}]',
				'[null,null,"TOPIC","response:error",{"error":"late","ref":"2"}]',
				'[null,"1","TOPIC","phx_reply",{"status":"ok","response":{}}]',
				'[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]',
				'[null,null,"transfer:OTHER","response:records",{"records":[],"ref":"REF"}]',
				'[null,null,"TOPIC","presence_state",{}]',
				[ 0, 255, 10 ] ] } ('request:records', 'request:schema') }),
	wrong_page => play(instead => { 'request:records' => '[null,null,"TOPIC","response:records",{"records":[{"id":5,"name":"x"}],"offset":700,"has_more":false,"ref":"REF"}]' }),
	wrong_event => play(instead => { 'request:records' => '[null,null,"TOPIC","response:count",{"count":5,"ref":"REF"}]' }),
	no_ref => play(instead => { 'request:records' => '[null,null,"TOPIC","response:records",{"records":[]}]' }),
	not_json => play(instead => { 'request:records' => 'hello' }),
	not_array => play(instead => { 'request:records' => '{"a":1}' }),
	short_array => play(instead => { 'request:records' => '[1,2,3,4]' }),
	no_records => play(instead => { 'request:records' => '[null,null,"TOPIC","response:records",{"offset":0,"ref":"REF"}]' }),
	no_objects => play(instead => { 'request:records' => '[null,null,"TOPIC","response:records",{"records":[1,2],"offset":0,"ref":"REF"}]' }),
	lacking => play(instead => { 'request:records' => '[null,null,"TOPIC","response:records",{"records":[{"id":5}],"offset":0,"ref":"REF"}]' }),
	deep => play(instead => { 'request:records' => '[' x 5000 }),
	silent => play(instead => { 'request:records' => undef }),
	closed => play(instead => { 'request:records' => 1000 }),
	phx_close => play(instead => { 'request:records' => '[null,null,"TOPIC","phx_close",{}]' }),
	phx_error => play(instead => { 'request:records' => '[null,null,"TOPIC","phx_error",{}]' }),
	refusing => play(instead => { 'request:records' => '[null,null,"TOPIC","response:error",{"error":"Failed to fetch records: %Postgrex.Error{postgres: %{}}","ref":"REF"}]' }),
	failed_reply => play(instead => { 'request:records' => '[null,"REF","TOPIC","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]' }),
	never => play(join => 'never'),
	mismatch => play(join => 'mismatch'),
	disabled => play(refuse => [ 403, 'Module disabled' ]),
	hours => play(refuse => [ 403, 'Outside allowed hours' ]),
	gateway => play(refuse => [ 502, '<html>Bad Gateway</html>' ]),
	fragments => play(fragments => 1000),
	huge => play(tables => { items => { %items, rows => [ map { qq({"id":$_,"name":") . 'x' x 60000 . '"}' } 1 .. 400 ] } }),
	too_huge => play(tables => { items => { %items, rows => [ map { qq({"id":$_,"name":") . 'x' x 60000 . '"}' } 1 .. 400 ] } }),
	inserted => play(after_page => { 2 => { insert => [ items(9001 .. 9003) ] } }),
	removed => play(after_page => { 2 => { remove => 5 } }),
	slow => play(delay => { 'request:count' => 32 }),
	mirrored => play(), pushed => play(), diffed => play(), created => play(), interrupted => play(instead => { 'request:records' => undef }),
	left => play(idle => 3), left_in_block => play(idle => 3), other_schema => play(), fetched => play(), paced => play());

my $site = start_sender({ tables => \%tables, codes => \%codes });

# Connects by the code of a play, runs SQL with the client as :c, and disconnects.
sub script
{
	my ($play, $sql, %how) = @_;
	my $url = $how{url} || "$site->{socket}/phoenix_kit";
	my $more = ', protocol => \'' . ($how{protocol} || 'phoenix') . '\'' . ($how{more} || '');
	return "SELECT sync_connect('$url', '$play{$play}'$more) AS c \\gset\n$sql;\nSELECT sync_disconnect(:c) \\g /dev/null\n";
}
sub run { my @args = @_; return $node->safe_psql('postgres', script(@args)); }
sub refuses { my ($play, $sqlstate, $text, %how) = @_; return fails_with($node, script($play, $how{sql} || "SELECT created FROM sync_transfer(:c, 'items')", %how), $sqlstate, $text, $play); }
sub transfer { my ($strategy) = @_; return "SELECT created, updated, skipped FROM sync_transfer(:c, 'items', strategy => '" . ($strategy || 'skip') . "')"; }
sub fresh { $node->safe_psql('postgres', 'TRUNCATE items'); sender_log($site); }
sub stderr_of { my @args = @_; my ($ret, $out, $err) = $node->psql('postgres', script(@args)); return ($out, $err); }

# ---- what is asked, and how ------------------------------------------------------------------------

is(run('plain', "SELECT name, row_count FROM sync_remote_list_tables(:c);
	SELECT sync_remote_get_count(:c, 'items');
	SELECT protocol, peer_version FROM sync_clients();
	SELECT sync_remote_get_schema(:c, 'items') -> 'columns' -> 1 ->> 'type';
	" . transfer()),
	"empty|0\nitems|2500\nthousand|1000\n2500\nphoenix|0.2.1\ncharacter varying(20)\n2500|0|0", 'lists, counts, describes, transfers');
is($node->safe_psql('postgres', 'SELECT digest()'), '2500 3126250 2500', 'every row has come, once');
my $log = sender_log($site);
like($log, qr{\AGET /phoenix_kit/sync/websocket\?code=PKTEST\S+&vsn=2\.0\.0\nphx_join \{"accept_encoding": \["pgtext"\], "receiver_info": \{"project_title": "PostgreSQL database postgres", "user_name": "\w+"\}\}\nrequest:capabilities \{"ref": "1"\}\n}, 'the URL, the join, capabilities first');
my @pages = $log =~ /^request:records .*"limit": (\d+), "offset": (\d+)/mg;
is("@pages", '100 0 1000 100 1000 1100 1000 2100', 'pages of at most 1000, by the rows that have come');
wait_for(sub { $log .= sender_log($site); $log =~ /^closed/m }, 'the connection has ended');
like($log, qr/^closed 1000$/m, 'it ends with a normal close');
is($node->safe_psql('postgres', 'SELECT digest()'), '2500 3126250 2500');

fails_with($node, script('plain', 'SELECT 1'), '55000', qr/already_used.*remote: Code already used/s, 'a code that is used up');
fails_with($node, "SELECT sync_connect('$site->{socket}/phoenix_kit', 'ZZZZZZZZ', protocol => 'phoenix')", '28000', qr/invalid_code.*remote: Invalid code/s, 'an unknown code');

# ---- where the site is -----------------------------------------------------------------------------

is(run('path', 'SELECT count(*) FROM sync_remote_list_tables(:c)', url => $site->{socket}), '3', 'a URL without a path');
like(sender_log($site), qr{^GET /sync/websocket\?.*\nGET /phoenix_kit/sync/websocket\?}m, '404: once more under /phoenix_kit');
is(run('full_path', 'SELECT count(*) FROM sync_remote_list_tables(:c)', url => "$site->{socket}/phoenix_kit/sync/websocket/"), '3', 'the whole path');
refuses('again', '08P01', qr/is no PhoenixKit site.*status 404.*HINT.*mounted/s, url => "$site->{socket}/other");
my $ws = $site->{socket} =~ s/^http/ws/r;
is(run('again', 'SELECT count(*) FROM sync_remote_list_tables(:c)', url => "$ws/phoenix_kit"), '3', 'the code was not spent; ws: is http:');
wait_for(sub { $log = sender_log($site); $log =~ /closed/ }, 'the last connection has ended');
is(run('auto', 'SELECT protocol FROM sync_clients()', url => $site->{socket}, protocol => 'auto'), 'phoenix', 'found out');
like(sender_log($site), qr{^GET /sync/v1/\nGET /phoenix_kit/sync/api/status\nGET /phoenix_kit/sync/websocket\?code=}m, 'by questions that spend nothing');
refuses('created', '08P01', qr/no sync server/, protocol => 'native');
unlike(sender_log($site), qr/code=/, 'the native protocol alone shows the code to nobody');

# ---- releases --------------------------------------------------------------------------------------

fresh();
my ($out, $err) = stderr_of('first_release', transfer() . ";SELECT sync_remote_get_count(:c, 'items')");
is($out, "2500|0|0\n2500", 'the first release: rows by the columns here');
like($err, qr/WARNING:  the peer does not describe its tables/, 'which is said');
unlike(sender_log($site), qr/request:schema/, 'it is never asked for a schema');
refuses('no_version', '0A000', qr/cannot describe.*older than 0\.1\.2/s, sql => "SELECT sync_remote_get_schema(:c, 'items')");
fresh();
my $began = time;
refuses('crash', '08006', qr/connection lost.*close code 1011 during "records".*HINT:.*pull such tables with a token/s);
refuses('schema_crash', '08006', qr/1011 during "schema".*HINT:.*crashed/s);
cmp_ok(time - $began, '<', 20, 'at once');

# ---- pages -----------------------------------------------------------------------------------------

fresh();
is(run('page', transfer()), '2500|0|0', 'a site that gives less than was asked for');
is($node->safe_psql('postgres', 'SELECT digest()'), '2500 3126250 2500', 'none is lost');
fresh();
is(run('more', transfer() . ";SELECT created FROM sync_transfer(:c, 'empty')"), "2500|0|0\n0", 'has_more for ever ends with an empty page');
fresh();
is(run('fetched', "SELECT r->>'id' FROM sync_remote_fetch(:c, 'items', 2, 1500) r; SELECT count(*) FROM sync_remote_fetch(:c, 'items', 0) r; SELECT count(*) FROM sync_remote_fetch(:c, 'items', 1200) r"),
	"1501\n1502\n0\n1200", 'rows of a part');
like(sender_log($site), qr/"limit": 2, "offset": 1500/, 'of which no more are asked for');
fresh();
($out, $err) = stderr_of('inserted', transfer());
is($out, '2500|0|0', 'rows that come twice are taken once');
like($err, qr/WARNING:  table "items" of the peer has changed.*2500 rows before and 2503 after; 2503 came, 3 of them twice/s, 'which is said, with numbers');
fresh();
($out, $err) = stderr_of('removed', transfer());
like($err, qr/2500 rows before and 2495 after; 2495 came, 0 of them twice/, 'rows that were taken away: said, with numbers');
is($out, '2495|0|0');

# ---- answers ---------------------------------------------------------------------------------------

foreach my $harmless (qw(twice late fragments))
{
	fresh();
	is(run($harmless, transfer()), '2500|0|0', "$harmless: answers are told apart");
	is($node->safe_psql('postgres', 'SELECT digest()'), '2500 3126250 2500');
}
fresh();
is(run('huge', transfer() . '; SELECT sum(length(name)) FROM items'), "400|0|0\n24000000", 'messages of megabytes');
refuses('wrong_page', '08P01', qr/another page.*begins at 700 instead of 0/s);
refuses('same', '08P01', qr/do not come to an end.*of them twice; it told of 2500/s);
$node->safe_psql('postgres', 'CREATE TABLE heap (LIKE items)');
refuses('same_unkeyed', '08P01', qr/do not come to an end.*, 0 of them twice/s, sql => "SELECT sync_transfer(:c, 'items', 'heap')");
refuses('wrong_event', '08P01', qr/response:count where response:records was due/);
refuses('no_ref', '08P01', qr/without saying what/);
refuses($_, '08P01', qr/does not speak PhoenixKit's protocol rightly/) foreach qw(not_json not_array short_array deep);
refuses($_, '08P01', qr/records of the peer are malformed/) foreach qw(no_records no_objects);
refuses('lacking', '08P01', qr/lacks the column "name"/);
refuses('refusing', 'XX000', qr/Postgrex\.Error.*remote:/s);
refuses('failed_reply', 'XX000', qr/unmatched topic/);
refuses('closed', '08006', qr/close code 1000.*HINT:.*new code/s);
refuses('phx_close', '08006', qr/ended the channel.*said goodbye.*HINT:.*new code/s);
refuses('phx_error', '08006', qr/ended the channel.*failed there/s);
refuses('silent', '57014', qr/timeout.*HINT:.*longer "timeout"/s, more => ", timeout => '3 s'");
refuses('never', '57014', qr/timeout.*silent for 1500 ms/s, more => ", timeout => '1.5 s'", sql => 'SELECT 1');
refuses('mismatch', '28000', qr/does not let us join.*code_mismatch/s, sql => 'SELECT 1');
refuses('disabled', '55000', qr/disabled at the peer.*remote: Module disabled/s, sql => 'SELECT 1');
refuses('hours', '42501', qr/remote: Outside allowed hours/, sql => 'SELECT 1');
refuses('gateway', '08001', qr/status 502/, sql => 'SELECT 1');
$node->safe_psql('postgres', q(ALTER SYSTEM SET sync.max_message_size = '1MB'));
$node->reload;
wait_for(sub { $node->safe_psql('postgres', 'SHOW sync.max_message_size') eq '1MB' }, 'the limit counts');
refuses('too_huge', '54000', qr/too large.*limit/s);

# A call that waits tells the site every half a minute that it is still there.
fresh();
is(run('slow', "SELECT sync_remote_get_count(:c, 'items')", more => ", timeout => '2 min'"), '2500', 'a slow answer');
is(join('|', sender_log($site) =~ /^(heartbeat .*|request:\w+ .*)$/mg),
	'request:capabilities {"ref": "1"}|request:count {"ref": "2", "table": "items"}|heartbeat {}', 'while it is waited for, the site hears of us');

# ---- what such a peer cannot do --------------------------------------------------------------------

refuses('mirrored', '0A000', qr/cannot be mirrored.*page by page/s, sql => transfer('mirror'));
refuses('pushed', '0A000', qr/takes no rows/, sql => "SELECT created FROM sync_push(:c, 'items')");
refuses('other_schema', '42P01', qr/schema public only/, sql => "SELECT sync_remote_get_count(:c, 'other.items')");
fresh();
$node->safe_psql('postgres', "INSERT INTO items VALUES (1, 'n1'), (2, 'changed'), (7000, 'mine')");
is(run('diffed', "SELECT kind, count(*) FROM sync_diff(:c, 'items') GROUP BY 1 ORDER BY 1;
	SELECT * FROM sync_compare_schema(:c, ARRAY['items'])"),
	"delete|1\ninsert|2498\nupdate|1\nitems|type|name text|name character varying(20)", 'differences');
is(run('created', "SELECT table_name, created FROM sync_transfer_all(:c, ARRAY['empty', 'thousand']);
	SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'thousand'::regclass AND attname = 'name';
	SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'thousand'::regclass"),
	"empty|0\nthousand|1000\ncharacter varying(20)\nPRIMARY KEY (id)", 'tables that are missing are made');

# ---- interrupts, and connections that were left alone -------------------------------------------------

my $session = background($node, script('interrupted', transfer()));
wait_for(sub { sender_log($site) =~ /request:records/ }, 'it waits for the answer');
$began = time;
$node->safe_psql('postgres', q(SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%sync_transfer%' AND pid <> pg_backend_pid()));
finished($session);
like($session->{err}, qr/57014.*canceling statement due to user request/, 'a cancel is heard');
cmp_ok(time - $began, '<', 10, 'at once');

# Between two calls nobody can tell the site that we are still there: it closes, and the next call says so.
sub left
{
	my ($play, $sql) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n" . script($play, "SELECT sync_remote_get_count(:c, 'items');\n$sql"), on_error_stop => 0);
	return ($out, [ map { s/\nLOCATION.*//sr } split /(?=psql:)/, $err ]);
}
my $count = "SELECT sync_remote_get_count(:c, 'items')";
($out, my $errors) = left('left', "SELECT pg_sleep(6) \\g /dev/null\nSELECT sync_connected(:c);\n$count;\nSELECT sync_connected(:c);\n$count;\nSELECT count(*) FROM sync_clients()");
is($out, "2500\nf\nf\n1", 'left: it is seen to be closed');
is(scalar(@$errors), 2, 'left: each call fails');
like($errors->[0], qr/ERROR:  08006: connection lost: the peer has closed it\nDETAIL:  WebSocket close code 1002.*\nHINT:  A PhoenixKit site closes a connection that was not used for a minute\. Connect with a new code/, 'left: the first one tells why');
like($errors->[1], qr/ERROR:  08006: not connected to the peer\nHINT:  Connect with sync_connect\(\) and a new code/, 'left: the next one what to do');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_clients()'), '0', 'left: nothing is left');
($out, $errors) = left('left_in_block', "BEGIN;\nSELECT pg_sleep(6) \\g /dev/null\nSAVEPOINT s;\n" . transfer() . ";\nROLLBACK TO s;\nSELECT sync_connected(:c);\nCOMMIT");
is($out, "2500\nf", 'left: a transaction goes on without it');
like($errors->[0], qr/08006.*not used for a minute/s, 'left: a transfer tells why');

done_testing();
$node->stop;
