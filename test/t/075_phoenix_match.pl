# match over PhoenixKit's protocols: parents that are here under another key, children that follow.
use strict;
use warnings;
use lib 'perl';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use MIME::Base64;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = new_sync_node('receiver');
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub uuid { return sprintf('%s0000000-0000-4000-8000-%012d', @_); }

# As PhoenixKit sends them: uuids as objects, with some in plain text too.
sub marked { my $hex = $_[0] =~ s/-//gr; return '{"__phoenix_kit_binary__":"' . encode_base64(pack('H*', $hex), '') . '"}'; }
my $required = JSON::PP::false;
my (@users, @posts);
foreach my $i (1 .. 30)
{
	push @users, sprintf('{"uuid":%s,"email":"u%d@x","number":%d,"boss":%s}', marked(uuid('9', $i)), $i, 900 + $i, $i % 5 ? marked(uuid('9', 31 - $i)) : 'null');
	push @posts, sprintf('{"id":%d,"author":%s,"editor":%d}', $i, $i % 2 ? marked(uuid('9', $i)) : '"' . uuid('9', $i) . '"', 931 - $i);
}
my %tables = (
	users => {
		columns => [ column('uuid', 'uuid', nullable => $required), column('email', 'character varying'), column('number', 'integer'), column('boss', 'uuid') ],
		key => ['uuid'], rows => \@users },
	posts => {
		columns => [ column('id', 'bigint', nullable => $required), column('author', 'uuid'), column('editor', 'integer') ],
		key => ['id'], rows => \@posts });
my $codes = { map { ("PKTEST2$_" => {}) } qw(A B C D) };
my $site = start_sender({ tables => \%tables, codes => $codes, tokens => { sha256_hex('token') => {} } });

sql(q(CREATE TABLE users (uuid uuid PRIMARY KEY, email text, number int UNIQUE, boss uuid REFERENCES users, name text DEFAULT 'theirs');
	CREATE UNIQUE INDEX ON users (lower(email)); CREATE UNIQUE INDEX ON users (email) WHERE name = 'x'; CREATE UNIQUE INDEX ON users (email);
	CREATE TABLE posts (id bigint PRIMARY KEY, author uuid NOT NULL REFERENCES users, editor int REFERENCES users (number));
	CREATE FUNCTION story() RETURNS text LANGUAGE sql AS
		$$SELECT string_agg(concat_ws(' ', p.id, a.email, e.email, b.email), ',' ORDER BY p.id) FROM posts p JOIN users a ON a.uuid = p.author JOIN users e ON e.number = p.editor LEFT JOIN users b ON b.uuid = a.boss AND a.name = 'theirs'$$));
# Every third user is here under another uuid, with another number; the eighth one under the same.
my $here = q(TRUNCATE users, posts; INSERT INTO users SELECT ('10000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'u' || i || '@x', i, NULL, 'ours' FROM generate_series(1, 30, 3) i;
	INSERT INTO users VALUES ('90000000-0000-4000-8000-000000000008', 'u8@x', 8, NULL, 'ours'));
# What the story is when all is well.
my $story = join(',', map { my $ours = $_ % 3 == 1 || $_ == 8; join(' ', $_, "u$_\@x", 'u' . (31 - $_) . '@x', $_ % 5 && !$ours ? 'u' . (31 - $_) . '@x' : ()) } 1 .. 30);
my $counts = q(SELECT string_agg(concat_ws('|', table_name, created, updated, skipped), ' ' ORDER BY table_name) FROM );

foreach my $peer ([ 'socket', "'PKTEST2A'", "'PKTEST2B'" ], [ 'api', "token => 'token'", "token => 'token'" ])
{
	my ($way, $first, $second) = @$peer;
	my $pull = sub { return sql("$counts sync_pull('$site->{$way}/phoenix_kit', $_[0], tables => '{posts,users}', match => 'phoenix', strategy => 'overwrite');"); };
	sql($here);
	is($pull->($first), 'posts|30|0|0 users|19|0|11', "$way: users that are here are recognized");
	is(sql('SELECT story()'), $story, "$way: posts follow, by the uuid and by the number, and bosses too");
	is(sql(q(SELECT count(*) FILTER (WHERE name = 'ours'), count(*) FILTER (WHERE uuid::text LIKE '1%') FROM users)), '11|10', "$way: what was here is as it was");
	is($pull->($second), 'posts|0|0|30 users|0|0|30', "$way: once more, all is skipped");
}
sql($here);
fails_with($node, "SELECT sync_pull('$site->{socket}/phoenix_kit', 'PKTEST2C', tables => '{posts,users}', strategy => 'overwrite')", '23505', qr/users_/, 'without match');

done_testing();
$node->stop;
