# Values as PhoenixKit sites emit them, over the WebSocket and over the JSON API, arrive as what they
# were there: by the type of the column, never by their look.
use strict;
use warnings;
use lib 'perl';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = new_sync_node('receiver', conf => "timezone = 'Asia/Tokyo'\ndatestyle = 'SQL, DMY'\n");
$node->safe_psql('postgres', 'CREATE EXTENSION hstore; CREATE EXTENSION citext');

# type, how it comes, PostgreSQL's text of what it was (ISO, UTC); undef: it is refused
my @both = (
	[ 'int2', '-32768', '-32768' ],
	[ 'bigint', '9223372036854775807', '9223372036854775807' ],
	[ 'int', '5.0', '5' ],
	[ 'oid', '4294967295', '4294967295' ],
	[ 'float8', '100.0', '100' ],
	[ 'float8', '1.0e16', '1e+16' ],
	[ 'float4', '0.10000000149011612', '0.1' ],
	[ 'numeric', '"12.50"', '12.50' ],
	[ 'numeric', '"1E-8"', '0.00000001' ],
	[ 'numeric', '"NaN"', 'NaN' ],
	[ 'numeric', '123456789012345678901234567890.12', '123456789012345678901234567890.12' ],
	[ 'boolean', 'true', 't' ],
	[ 'text', '"2025-12-15"', '2025-12-15' ],
	[ 'text', '"2025-12-15T10:00:00Z"', '2025-12-15T10:00:00Z' ],
	[ 'text', '"12:30:00"', '12:30:00' ],
	[ 'text', '"\u00e4\u2603\ud83d\ude00\"\\\\"', "\x{e4}\x{2603}\x{1f600}\"\\" ],
	[ 'text', '""', '' ],
	[ 'text', 'null', undef, 'null' ],
	[ 'text', '"a\u0000b"', undef ],
	[ 'char(4)', '"ab  "', 'ab  ' ],
	[ 'citext', '"AbC"', 'AbC' ],
	[ 'date', '"2025-12-15"', '2025-12-15' ],
	[ 'date', '"-0043-03-15"', '0044-03-15 BC' ],
	[ 'date', '"12025-01-01"', '12025-01-01' ],
	[ 'date', '"5881610-07-11"', 'infinity' ],
	[ 'time', '"12:30:00.000000"', '12:30:00' ],
	[ 'time(0)', '"12:30:00"', '12:30:00' ],
	[ 'timetz', '"10:30:00.000000"', '10:30:00+00' ],
	[ 'timestamp', '"2025-12-15T18:56:59.387453"', '2025-12-15 18:56:59.387453' ],
	[ 'timestamp', '"2025-12-15T18:56:59"', '2025-12-15 18:56:59' ],
	[ 'timestamptz', '"2025-12-15T18:56:59.387453Z"', '2025-12-15 18:56:59.387453+00' ],
	[ 'timestamptz', '"2025-12-15T18:56:59"', '2025-12-15 18:56:59+00' ],
	[ 'jsonb', '{"a":[1.50,"x",null]}', '{"a": [1.50, "x", null]}' ],
	[ 'jsonb', '"str"', '"str"' ],
	[ 'jsonb', '"5"', '"5"' ],
	[ 'jsonb', '5', '5' ],
	[ 'jsonb', '{"__type__":"date","value":"2025-12-15"}', '{"value": "2025-12-15", "__type__": "date"}' ],
	[ 'json', '{"a":1}', '{"a":1}' ],
	[ 'int[]', '[1,null,3]', '{1,NULL,3}' ],
	[ 'int[]', '[[1,2],[3,4]]', '{{1,2},{3,4}}' ],
	[ 'text[]', '["a,b","NULL","",null]', '{"a,b","NULL","",NULL}' ],
	[ 'numeric[]', '["1.50","2"]', '{1.50,2}' ],
	[ 'date[]', '["2025-12-15"]', '{2025-12-15}' ],
	[ 'int[]', '[]', '{}' ]);

# Over HTTP, where bytes have a marker.
my @api = (
	[ 'float8', '"inf"', 'Infinity' ],
	[ 'float8', '"-inf"', '-Infinity' ],
	[ 'float8', '"NaN"', 'NaN' ],
	[ 'uuid', '{"__phoenix_kit_binary__":"VQ6EAOKbQdSnFkRmVUQAAA=="}', '550e8400-e29b-41d4-a716-446655440000' ],
	[ 'uuid', '"abcdefghijklmnop"', '61626364-6566-6768-696a-6b6c6d6e6f70' ],
	[ 'bytea', '{"__phoenix_kit_binary__":"AP8="}', '\x00ff' ],
	[ 'bytea', '"\\\\x5c7834"', '\x5c78356337383334' ],
	[ 'hstore', '{"a":"1","b":null}', '"a"=>"1", "b"=>NULL' ],
	[ 'bit(8)', '"A"', '01000001' ],
	[ 'bit(8)', '{"__phoenix_kit_binary__":"/w=="}', '11111111' ],
	[ 'jsonb', '{"__phoenix_kit_binary__":"AP8=","more":1}', '{"more": 1, "__phoenix_kit_binary__": "AP8="}' ],
	[ 'uuid', '{"__phoenix_kit_binary__":"AP8="}', undef ]);

# Over the WebSocket: what Elixir prints.
my @socket = (
	[ 'float8', '":NaN"', 'NaN' ],
	[ 'float8', '":inf"', 'Infinity' ],
	[ 'float8', '":\"-inf\""', '-Infinity' ],
	[ 'inet', '"%Postgrex.INET{address: {10, 0, 0, 1}, netmask: nil}"', '10.0.0.1' ],
	[ 'int4range', '"%Postgrex.Range{lower: 1, upper: 5, lower_inclusive: true, upper_inclusive: false}"', '[1,5)' ],
	[ 'inet', '"%Postgrex.INET{address: oops}"', undef ]);

my $n = 0;
my (%tables, @cases);
foreach my $way ([ both => @both ], [ api => @api ], [ socket => @socket ])
{
	my ($where, @values) = @$way;
	foreach my $value (@values)
	{
		my ($type, $json, $text, $null) = @$value;
		my $name = 'v' . $n++;
		push @cases, { name => $name, type => $type, json => $json, text => $text, null => $null, where => $where };
		$tables{$name} = {
			columns => [ column('id', 'integer'), column('v', 'text') ],
			key => ['id'],
			rows => [ qq({"id":1,"v":$json}), '{"id":2,"v":null}' ] };
		$node->safe_psql('postgres', "CREATE TABLE $name (id int PRIMARY KEY, v $type)");
	}
}
my $site = start_sender({ tables => \%tables, codes => { PKVAR222 => {},  }, tokens => { sha256_hex('token') => {} } });
my %connect = (
	socket => "sync_connect('$site->{socket}', 'PKVAR222', protocol => 'phoenix')",
	api => "sync_connect('$site->{api}', token => 'token')");

foreach my $way (qw(socket api))
{
	my @these = grep { $_->{where} eq 'both' || $_->{where} eq $way } @cases;
	my $script = "SELECT $connect{$way} AS c \\gset\n";
	$script .= "TRUNCATE $_->{name}; SELECT '$_->{name}', created, error_count FROM sync_transfer(:c, '$_->{name}', max_errors => NULL);\n" foreach @these;
	my %outcome = map { /^(v\d+)\|(.*)$/ ? ($1, $2) : () } split /\n/, $node->safe_psql('postgres', $script);
	foreach my $case (@these)
	{
		my $what = "$way: $case->{type} $case->{json}";
		is($outcome{ $case->{name} }, $case->{text} || $case->{null} || defined $case->{text} ? '2|0' : '1|1', $what);
		next unless defined $case->{text};
		my $stands = $node->safe_psql('postgres',
			"SET timezone = 'UTC'; SET datestyle = 'ISO'; SET bytea_output = 'hex'; SELECT format('%s', v) FROM $case->{name} WHERE id = 1");
		utf8::decode($stands);
		$stands =~ s/\n\z//;
		is($case->{type} eq 'char(4)' ? sprintf('%-4s', $stands) : $stands, $case->{text}, "$what is what it was");
	}
}

done_testing();
$node->stop;
