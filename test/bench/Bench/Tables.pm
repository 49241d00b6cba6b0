# The tables that are moved: W1 is pgbench_accounts, W2 has 20 columns of mixed types.
package Bench::Tables;

use strict;
use warnings;

my $wide_columns = <<'SQL';
  id bigint PRIMARY KEY, customer int NOT NULL, kind smallint, active boolean, amount numeric(12, 2), weight float8,
  share float4, name text, code varchar(50), remark text, created_at timestamptz, changed_at timestamp, due date,
  token uuid, digest bytea, properties jsonb, tags int[], note text, span interval, address inet
SQL

my $wide_rows = <<'SQL';
  SELECT i, i % 10007, (i % 300)::smallint, i % 3 = 0, (i % 1000000) / 7.0, i / 3.0, (i % 1000) / 7.0, 'name ' || md5(i::text),
    'code-' || (i % 5000), repeat('some words of a remark ', (i % 7)::int), '2020-01-01'::timestamptz + i * interval '37 s',
    '2021-01-01'::timestamp + i * interval '61 s', '2000-01-01'::date + (i % 9000)::int, md5(i::text)::uuid,
    decode(md5(i::text) || md5((-i)::text), 'hex'),
    jsonb_build_object('n', i, 'label', 'label ' || i % 100, 'flags', jsonb_build_array(i % 2 = 0, i % 5)),
    ARRAY[i % 10, i % 100, i % 1000]::int[], CASE WHEN i % 4 = 0 THEN 'note ' || i END, (i % 100000) * interval '1 min',
    ('10.' || i % 256 || '.' || i / 256 % 256 || '.7')::inet
SQL

# name, table, rows, create: SQL, fill: SQL for as many rows.
sub narrow
{
	my ($bench) = @_;
	return { name => 'W1', table => 'pgbench_accounts', rows => $bench->option('rows'),
		create => 'CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))',
		fill => sub { "INSERT INTO pgbench_accounts SELECT i, i / 100000 + 1, 0, '' FROM generate_series(1, $_[0]) i" } };
}

sub wide
{
	my ($bench) = @_;
	return { name => 'W2', table => 'wide', rows => $bench->option('wide-rows'),
		create => "CREATE TABLE wide ($wide_columns)",
		fill => sub { "INSERT INTO wide $wide_rows FROM generate_series(1, $_[0]) i" } };
}

# Makes both, filled on the sender and empty on the receiver, once.
sub prepare
{
	my ($bench) = @_;
	my @tables = (narrow($bench), wide($bench));
	return @tables if $bench->{tables_made}++;
	foreach my $table (@tables)
	{
		$bench->sql('sender', $table->{create}, $table->{fill}->($table->{rows}), "VACUUM ANALYZE $table->{table}");
		$bench->sql('receiver', $table->{create});
	}
	return @tables;
}

sub empty { my ($bench, $table) = @_; $bench->sql('receiver', "TRUNCATE $table->{table}", 'CHECKPOINT'); $bench->sql('sender', 'CHECKPOINT'); }

sub require_all
{
	my ($bench, $table) = @_;
	die "rows of $table->{table} are missing\n" unless $bench->sql('receiver', "SELECT count(*) FROM $table->{table}") == $table->{rows};
}

# A pipe of two psql: what a transfer is compared with. Returns the bytes that go through.
sub copy
{
	my ($bench, $table) = @_;
	Bench::run($bench->psql_text('sender') . qq( -c "COPY $table->{table} TO STDOUT (FORMAT binary)" | )
		  . $bench->psql_text('receiver') . qq( -c "COPY $table->{table} FROM STDIN (FORMAT binary)"));
	return 0;
}

sub copy_bytes
{
	my ($bench, $table) = @_;
	return $table->{copy_bytes} //= `@{[$bench->psql_text('sender')]} -c "COPY $table->{table} TO STDOUT (FORMAT binary)" | wc -c` + 0;
}

1;
