# Rows as JSON, beside what the server itself offers for it.
package Bench::Json;

use strict;
use warnings;
use Bench::Tables;

my @pages = (100, 1_000, 10_000);
my $exported = 40_000;    # rows in pages of each size
my $records = 10_000;    # of a call
my $calls = 20;

sub report
{
	my ($title, $unit, $results, @pairs) = @_;
	my @rows = ([ $title, 's', 'ratio', 'CPU s', 'ratio', "$unit/s", 'WAL MB' ]);
	foreach my $pair (@pairs)
	{
		foreach my $name (@{ $pair->{names} })
		{
			my $result = $results->{$name};
			my $peer = $results->{ $pair->{names}[-1] };
			push @rows, [ $name, sprintf('%.3f', $result->{seconds}), sprintf('%.2f', $result->{seconds} / $peer->{seconds}),
				sprintf('%.2f', $result->{cpu}), sprintf('%.2f', $result->{cpu} / ($peer->{cpu} || 0.01)),
				sprintf('%.0f', $pair->{count} / $result->{seconds}), Bench::mb($result->{wal}) ];
		}
	}
	Bench::print_table(@rows);
}

sub quiet { my ($bench, $name, $sql) = @_; Bench::run($bench->psql_text($name) . qq( -c "$sql" > /dev/null)); return 0; }

# Statements, in one session.
sub script
{
	my ($bench, $server, @statements) = @_;
	my $file = "$bench->{dir}/script.sql";
	open my $out, '>', $file or die;
	print $out "$_;\n" foreach @statements;
	close $out;
	Bench::run($bench->psql_text($server) . " -f $file > /dev/null");
	return 0;
}

sub calls { my ($bench, $statement) = @_; return script($bench, 'receiver', map { $statement =~ s/:batch/$_/gr } 1 .. $calls); }

# Over HTTP, as curl gets it.
sub download
{
	my ($bench, $table) = @_;
	my $code = $bench->new_code;
	my $url = $bench->url . '/sync/v1';
	my $ticket = `curl -s -X POST -d '{"code":"$code"}' -H 'Content-Type: application/json' $url/connect`;
	my ($bearer) = $ticket =~ /"ticket":"([^"]+)"/ or die "no ticket: $ticket\n";
	Bench::run(qq(curl -s -f -X POST -H 'Authorization: Bearer $bearer' -H 'Content-Type: application/json' -H 'Accept: application/x-ndjson' )
		  . qq(-d '{"table":"$table->{table}"}' $url/rows -o $bench->{dir}/rows.json));
	return -s "$bench->{dir}/rows.json";
}

# Pages one after the other, in one session, from all over the table. Both sides read the rows behind a key, in the order
# of the key, and the client gets them as text: as rows of jsonb, or as one value of json.
sub pages
{
	my ($bench, $table, $page) = @_;
	my $key = $table->{name} eq 'W1' ? 'aid' : 'id';
	my $name = $table->{table};
	my $count = $exported / $page;
	my $step = int(($table->{rows} - $page) / $count);
	my $pages_of = sub {
		my ($statement) = @_;
		return sub { script($bench, 'sender', map { $statement =~ s/:key/$step * $_/er } 0 .. $count - 1) };
	};
	return (
		{ name => "sync_export, $count pages of $page", run => $pages_of->("SELECT sync_export('$name', $page, after => '{\"$key\": :key}')") },
		{ name => "json_agg(row_to_json), $count pages of $page",
			run => $pages_of->("SELECT json_agg(row_to_json(t)) FROM (SELECT * FROM $name WHERE $key > :key ORDER BY $key LIMIT $page) t") });
}

sub export
{
	my ($bench) = @_;
	foreach my $table (Bench::Tables::prepare($bench))
	{
		my @groups = map { { count => $exported, variants => [ pages($bench, $table, $_) ] } } @pages;
		push @groups, { count => $table->{rows}, variants => [
			{ name => 'JSON lines over HTTP, whole table', run => sub { download($bench, $table) } },
			{ name => 'json_agg(row_to_json), whole table',
				run => sub { quiet($bench, 'sender', "SELECT json_agg(row_to_json(t)) FROM $table->{table} t") } } ] };
		my %results = $bench->alternate(map { @{ $_->{variants} } } @groups);
		report($table->{name}, 'rows', \%results,
			map { { names => [ map { $_->{name} } @{ $_->{variants} } ], count => $_->{count} } } @groups);
	}
}

# The records are in a table, as jsonb: what is measured is only what becomes of them.
sub prepare_batches
{
	my ($bench, $table) = @_;
	my $rows = $records * $calls;
	my $name = $table->{table};
	$bench->sql('receiver', "DROP TABLE IF EXISTS batches_$name", "TRUNCATE $name", $table->{fill}->($rows),
		"CREATE TABLE batches_$name AS SELECT (i - 1) / $records + 1 AS batch, jsonb_agg(to_jsonb(t) ORDER BY i) AS records
		   FROM (SELECT row_number() OVER () AS i, t FROM $name t) AS numbered GROUP BY 1", "VACUUM ANALYZE $name");
}


sub import_records
{
	my ($bench) = @_;
	foreach my $table (Bench::Tables::prepare($bench))
	{
		prepare_batches($bench, $table);
		my $name = $table->{table};
		my $key = $table->{name} eq 'W1' ? 'aid' : 'id';
		my $sets = $bench->sql('receiver', "SELECT string_agg(format('%1\$I = excluded.%1\$I', attname), ', ') FROM pg_attribute
			WHERE attrelid = '$name'::regclass AND attnum > 0 AND attname <> '$key'");
		my $insert = "INSERT INTO $name SELECT r.* FROM batches_$name b, jsonb_populate_recordset(null::$name, b.records) r WHERE batch = :batch ON CONFLICT";
		my $import = sub { "SELECT sync_import('$name', records, '$_[0]') FROM batches_$name WHERE batch = :batch" };
		my %before = (
			new => sub { $bench->sql('receiver', "TRUNCATE $name", 'CHECKPOINT'); },
			equal => sub { $bench->sql('receiver', "TRUNCATE $name", $table->{fill}->($records * $calls), "VACUUM ANALYZE $name", 'CHECKPOINT'); });
		my (@variants, @pairs);
		foreach my $kind ([ 'new', 'skip', 'DO NOTHING' ], [ 'new', 'overwrite', "($key) DO UPDATE SET $sets" ], [ 'equal', 'skip', 'DO NOTHING' ],
			[ 'equal', 'overwrite', "($key) DO UPDATE SET $sets" ])
		{
			my ($rows, $strategy, $conflict) = @$kind;
			my @names = ("$rows rows, sync_import $strategy", "$rows rows, ON CONFLICT " . ($conflict eq 'DO NOTHING' ? $conflict : 'DO UPDATE'));
			push @variants, { name => $names[0], before => $before{$rows}, run => sub { calls($bench, $import->($strategy)) } },
			  { name => $names[1], before => $before{$rows}, run => sub { calls($bench, "$insert $conflict") } };
			push @pairs, { names => \@names, count => $records * $calls };
		}
		my %results = $bench->alternate(@variants);
		report("$table->{name}, $calls calls of $records records", 'records', \%results, @pairs);
		$bench->sql('receiver', "DROP TABLE batches_$name", "TRUNCATE $name");
	}
}

1;
