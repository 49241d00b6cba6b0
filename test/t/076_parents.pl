# parents => true: who selects a table selects what it refers to.
use strict;
use warnings;
use lib 'perl';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 10\n");
my $b = new_sync_node('receiver');
sub on_b { return $b->safe_psql('postgres', $_[0]); }

# On the sender keys lead from child over parents to their parents, from anywhere into a cycle, and to
# tables with odd names, of another schema, partitioned, and of their own.
$a->safe_psql('postgres', q(
	CREATE SCHEMA far;
	CREATE TABLE far."Odd ""Root""" (id int PRIMARY KEY);
	CREATE TABLE grand (id int PRIMARY KEY, root int REFERENCES far."Odd ""Root""");
	CREATE TABLE "Upper Parent" (id int PRIMARY KEY, grand int REFERENCES grand, self int REFERENCES "Upper Parent");
	CREATE TABLE split (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE TABLE split_low PARTITION OF split FOR VALUES FROM (0) TO (1000);
	CREATE TABLE child (id int PRIMARY KEY, upper int REFERENCES "Upper Parent", split int REFERENCES split);
	CREATE TABLE grandchild (id int PRIMARY KEY, child int REFERENCES child);
	CREATE TABLE egg (id int PRIMARY KEY, hen int);
	CREATE TABLE hen (id int PRIMARY KEY, egg int REFERENCES egg);
	ALTER TABLE egg ADD FOREIGN KEY (hen) REFERENCES hen DEFERRABLE;
	CREATE TABLE nest (id int PRIMARY KEY, hen int REFERENCES hen);
	CREATE TABLE alone (id int PRIMARY KEY);
	CREATE TABLE told_here (id int PRIMARY KEY, alone int, unknown int);
	INSERT INTO far."Odd ""Root""" VALUES (1);
	INSERT INTO grand VALUES (1, 1);
	INSERT INTO "Upper Parent" VALUES (1, 1, 1);
	INSERT INTO split VALUES (1);
	INSERT INTO child VALUES (1, 1, 1);
	INSERT INTO grandchild VALUES (1, 1);
	BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO egg VALUES (1, 1); INSERT INTO hen VALUES (1, 1); COMMIT;
	INSERT INTO nest VALUES (1, 1);
	INSERT INTO alone VALUES (1);
	INSERT INTO told_here VALUES (1, 1, 1)));

# The tables that a call takes, in the order in which it does; nothing stays.
sub taken
{
	my ($arguments, %how) = @_;
	return $b->safe_psql('postgres', "SET client_min_messages = error;\n" . pull_script($a,
			"BEGIN;\nSELECT string_agg(table_name, ' ') FROM sync_transfer_all(:c, $arguments);\nROLLBACK;", %how));
}
sub fails { my ($arguments, @rest) = @_; return fails_with($b, pull_script($a, "SELECT sync_transfer_all(:c, $arguments);"), @rest); }

# ---- what the peer says ----------------------------------------------------------------------------

on_b('CREATE SCHEMA far');
is(taken(q(tables => '{child}')), 'child', 'without parents');
my $family = 'far."Odd ""Root""" grand "Upper Parent" split child';
is(taken(q(tables => '{child}', parents => true)), $family, 'parents and theirs, each once, before who refers to them');
is(taken(q(tables => '{grandchild}', parents => true)), "$family grandchild", 'from further down');
is(taken(q(tables => '{child,grand,grandchild}', parents => true)), "$family grandchild", 'with some that were named, too');
is(taken(q(tables => ARRAY['far."Odd ""Root"""'], parents => true)), 'far."Odd ""Root"""', 'that refers to nothing');
is(taken(q(tables => '{nest}', parents => true)), 'egg hen nest', 'a cycle');
is(taken(q(tables => '{egg}', parents => true)), 'egg hen', 'from within');
is(taken(q(tables => '{}', parents => true)), '', 'of none');
is(taken(q(tables => NULL, exclude => '{nest,hen,child,grandchild,told_here}', parents => true)),
	taken(q(tables => NULL, exclude => '{nest,hen,child,grandchild,told_here}')), 'all that are not excluded, with or without');
fails(q(tables => '{nothing}', parents => true), '42P01', qr/nothing/, 'a table that is not there');
fails(q(tables => '{child}', parents => NULL), '22004', qr/parents/, 'null');

# What is excluded is not taken, nor followed.
on_b(q(CREATE TABLE "Upper Parent" (id int PRIMARY KEY, grand int, self int); INSERT INTO "Upper Parent" VALUES (1)));
is(taken(q(tables => '{child}', exclude => ARRAY['"Upper Parent"'], parents => true)), 'split child', 'excluded, and so not followed');
on_b(q(CREATE TABLE grand (id int PRIMARY KEY, root int); INSERT INTO grand VALUES (1)));
is(taken(q(tables => '{child}', exclude => '{public.grand}', parents => true)), '"Upper Parent" split child', 'further up');
on_b(q(DROP TABLE grand, "Upper Parent"));

# What the peer does not list is not taken: it would be refused.
on_b(q(CREATE TABLE child (id int PRIMARY KEY, upper int, split int)));
is(taken(q(tables => '{child}', parents => true), tables => q('{child,split}')), 'child split', 'what the session shows');
on_b('DROP TABLE child');

# ---- and what the keys here say ---------------------------------------------------------------------

is(taken(q(tables => '{told_here}', parents => true)), 'told_here', 'no key, neither here nor there');
on_b(q(CREATE TABLE only_here (id int PRIMARY KEY); INSERT INTO only_here VALUES (1); CREATE TABLE alone (id int PRIMARY KEY);
	CREATE TABLE told_here (id int PRIMARY KEY, alone int REFERENCES alone, unknown int REFERENCES only_here)));
is(taken(q(tables => '{told_here}', parents => true)), 'alone told_here', 'a key that is only here; but not to what the peer lacks');
is(taken(q(tables => '{told_here}', exclude => '{alone}', parents => true, max_errors => 1)), 'told_here', 'excluded');
is(taken(q(tables => '{told_here}', max_errors => 1)), 'told_here', 'and not without parents');

# A table that was found by what the peer says is followed by the keys here, and the other way.
on_b(q(CREATE TABLE hen (id int PRIMARY KEY, egg int, told_here int REFERENCES told_here)));
is(taken(q(tables => '{nest}', parents => true)), 'alone told_here hen nest egg', 'both together');
on_b('DROP TABLE hen, told_here, alone, only_here');

# ---- the other functions -----------------------------------------------------------------------------

my $code = new_code($a);
is(on_b("SET client_min_messages = error; SELECT string_agg(table_name, ' ') FROM sync_pull('" . sync_url($a) . "', '$code', tables => '{nest}', parents => true)"),
	'egg hen nest', 'sync_pull');
is(on_b('SELECT count(*) FROM nest JOIN hen ON hen.id = nest.hen JOIN egg ON egg.hen = hen.id'), '1', 'they have come');
my $site = peer_proxy($a);
add_receiver($b, 'main', $site->{url});
my $uuid = on_b(q(SELECT sync_transfer_async('main', tables => '{grandchild}', parents => true)));
wait_for(sub { on_b("SELECT status FROM sync_transfers WHERE uuid = '$uuid'") =~ /completed|failed/ }, 'a job has ended');
is(on_b("SELECT status, table_name, records_created FROM sync_transfers WHERE uuid = '$uuid'"), 'completed|grandchild|6', 'a job takes them, too');
is(on_b('SELECT count(*) FROM grandchild JOIN child c ON c.id = child JOIN "Upper Parent" u ON u.id = upper JOIN grand g ON g.id = grand'), '1', 'and they have come');

# ---- PhoenixKit ----------------------------------------------------------------------------------------

my $receiver = new_sync_node('phoenix_receiver');
my $id = column('id', 'integer', nullable => JSON::PP::false);
sub table
{
	my ($name, $depends_on, @references) = @_;
	return ($name => { columns => [ $id, map { column($_, 'integer') } @references ], key => ['id'], depends_on => $depends_on,
			rows => [ '{"id":1' . join('', map { ",\"$_\":1" } @references) . '}' ] });
}
my %tables = (table('users', []), table('My.Posts', ['users'], 'author'), table('comments', ['My.Posts', 'users', 'not_listed', 'comments'], 'post', 'author', 'answers'), table('tags', []));
my $phoenix = start_sender({ tables => \%tables, codes => { PARENTS2 => {}, PARENTS3 => {} }, tokens => { sha256_hex('secret') => {} } });
my $keys = q(ALTER TABLE "My.Posts" ADD FOREIGN KEY (author) REFERENCES users; ALTER TABLE comments ADD FOREIGN KEY (post) REFERENCES "My.Posts");
my $tables = q(CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE "My.Posts" (id int PRIMARY KEY, author int);
	CREATE TABLE comments (id int PRIMARY KEY, post int, author int, answers int));
sub phoenix { return $receiver->safe_psql('postgres', "$_[0]\nSELECT string_agg(table_name, ' ' ORDER BY table_name COLLATE \"C\") FROM sync_pull($_[1], tables => '{comments}', parents => true);\nROLLBACK"); }
is(phoenix("BEGIN; $tables;", "'$phoenix->{api}/phoenix_kit', token => 'secret'"), '"My.Posts" comments users', 'a PhoenixKit site says what its tables refer to');
is(phoenix("BEGIN; $tables;", "'$phoenix->{socket}/phoenix_kit', 'PARENTS2'"), 'comments', 'but not over a WebSocket');
is(phoenix("BEGIN; $tables; $keys;", "'$phoenix->{socket}/phoenix_kit', 'PARENTS3'"), '"My.Posts" comments users', 'where the keys of the tables here tell');

no_leftovers($_, $_->name) foreach $a, $b, $receiver;
done_testing();
