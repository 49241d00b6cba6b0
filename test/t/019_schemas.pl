# Whole databases of many shapes: 200 tables made at random (another SYNC_SEED makes others), and two that somebody might
# have. All of it arrives, what then differs is what a plain comparison shows, and a second transfer writes nothing.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use RandomSchema;
use SyncTest;
use Test::More;

my $seed = $ENV{SYNC_SEED} || 20240229;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver');

# The tables of a database: names, and the columns of the key as a transfer finds it.
my $tables_sql = <<'SQL';
SELECT format('%I.%I', n.nspname, c.relname) AS name,
  (SELECT array_agg(a.attname ORDER BY k.n) FROM (SELECT i.indkey, i.indnkeyatts FROM pg_index i
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = c.oid AND x.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) AND NOT x.attnotnull)
      ORDER BY NOT i.indisprimary, i.indnkeyatts, (SELECT relname FROM pg_class WHERE oid = i.indexrelid) LIMIT 1) f
    CROSS JOIN LATERAL unnest(f.indkey[0:f.indnkeyatts - 1]) WITH ORDINALITY k(attnum, n) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum) AS key,
  (SELECT array_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_|^information_schema' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
SQL
# SQL that makes one value of some columns, and of members of a JSON object.
my $of_columns = q(concat_ws(chr(31), VARIADIC ARRAY[%s]::text[]));
my $join = q(SELECT string_agg(format('%%I::text', x), ', ') FROM unnest(%s) x);
my $join_json = q(SELECT string_agg(format('%s->>%%L', x), ', ') FROM unnest(%s) x);

# Runs a statement that this query makes for each table; lines of "table|...", the last two fields digests.
sub each_table
{
	my ($node, $db, $make, %options) = @_;
	my $sql = "SET client_encoding = 'UTF8'; SET client_min_messages = warning;\nWITH tables AS ($tables_sql) SELECT $make FROM tables ORDER BY name COLLATE \"C\" \\gexec\n";
	return split /\n/, $options{from} ? run_script($node, $options{from}, $sql, db => $db, to_db => $db) : $node->safe_psql($db, $sql);
}

# Rows by table and key, each with a digest of its text and of its JSON; without a key by their JSON, and counted.
sub rows_of
{
	my ($node, $db) = @_;
	my (%rows, %text);
	foreach my $line (each_table($node, $db, sprintf(q(format('SELECT %%L, %%L, md5(%%s), md5(ROW(%%s)::text) FROM %%s', name, key IS NOT NULL, format(%s, coalesce((%s), '')), (%s), name)),
				"'" . $of_columns . "'", sprintf($join, 'key'), sprintf($join, 'columns'))))
	{
		my ($table, $keyed, $key, $digest) = $line =~ /^(.*)\|(.*)\|(.*)\|(.*)$/;
		if ($keyed eq 't') { $text{$table}{$key} = $digest; }
		else { $text{$table}{$digest}++; }
	}
	foreach my $line (each_table($node, $db, sprintf(q(format('SELECT %%L, md5(%%s), md5(e::text) FROM sync_export(%%L, 1000000) e', name, CASE WHEN key IS NULL THEN 'e::text' ELSE format(%s, (%s)) END, name)),
				"'" . $of_columns . "'", sprintf($join_json, 'e', 'key'))))
	{
		my ($table, $key, $digest) = $line =~ /^(.*)\|(.*)\|(.*)$/;
		$rows{$table}{$key}{json} = $digest;
		$rows{$table}{$key}{count}++;
		$rows{$table}{$key}{text} = $text{$table}{$key};
	}
	my %keyed = map { /^(.*)\|(.)$/ } each_table($node, $db, q(format('SELECT %L, %L', name, key IS NOT NULL)));
	return { rows => \%rows, text => \%text, keyed => \%keyed };
}

# The differences that the two sets of rows show, as sorted lines of "table|kind|key|ours|theirs".
sub plain_difference
{
	my ($there, $here) = @_;
	my (@lines, %kinds);
	foreach my $table (sort keys %{ $there->{keyed} })
	{
		my ($theirs, $ours) = map { $_->{rows}{$table} || {} } $there, $here;
		my $keyed = $there->{keyed}{$table} eq 't';
		foreach my $key (sort keys %{ { %$theirs, %$ours } })
		{
			my ($their, $our) = ($theirs->{$key}, $ours->{$key});
			my $name = $keyed ? $key : '-';
			my $surplus = ($their ? $their->{count} : 0) - ($our ? $our->{count} : 0);
			push @lines, map { "$table|insert|$name||$their->{json}" } 1 .. $surplus if $surplus > 0;
			push @lines, map { "$table|delete|$name|$our->{json}|" } 1 .. -$surplus if $surplus < 0;
			push @lines, "$table|update|$name|$our->{json}|$their->{json}" if $keyed && $their && $our && $their->{text} ne $our->{text};
		}
	}
	/\|(insert|delete|update)\|/ && $kinds{$1}++ foreach @lines;
	return ([ sort @lines ], \%kinds);
}

sub told_difference
{
	my ($db) = @_;
	return [ sort(each_table($b, $db, sprintf(q(format('SELECT %%L, kind, CASE WHEN key IS NULL THEN ''-'' ELSE md5(%%s) END, md5(local::text), md5(remote::text) FROM sync_diff(%%s, %%L)', name, format(%s, coalesce((%s), '')), :c, name)),
				"'" . $of_columns . "'", sprintf($join_json, 'key', 'key')), from => $a)) ];
}

# What tells whether any row was written, locked or moved.
sub traces { my ($db) = @_; return join "\n", each_table($b, $db, q(format('SELECT %L, md5(string_agg(concat_ws('' '', tableoid, ctid, xmin, xmax), '','' ORDER BY tableoid, ctid)) FROM %s', name, name))); }
sub checksums { my ($node, $db) = @_; return join "\n", each_table($node, $db, q(format('SELECT %L, sync_checksum(%L)', name, name))); }
# Without what a dump says of itself, and of the setting of sequences.
sub definitions_of
{
	my ($node, $db) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '-s', '-d', $node->connstr($db) ]);
	$out =~ s/^(?:--.*|\\(?:un)?restrict .*)\n//mg;
	return [ split /\n/, $out ];
}
sub keyless { my ($db) = @_; return map { /^(.*)\|f$/ } each_table($b, $db, q(format('SELECT %L, %L', name, key IS NOT NULL))); }
sub array { return 'ARRAY[' . join(', ', map { RandomSchema::literal($_) } @_) . ']::text[]'; }

# $least: how many differences of each kind the changes make at least.
sub goes_over
{
	my ($db, $least, $definitions, $contents, $changes) = @_;
	foreach my $node ($a, $b) { $node->safe_psql('postgres', "CREATE DATABASE $db"); $node->safe_psql($db, 'CREATE EXTENSION sync; SELECT sync_enable()'); }
	$a->safe_psql($db, $definitions);
	$a->safe_psql($db, $contents);
	$a->safe_psql($db, 'ANALYZE');
	# Schemas and extensions are made by hand; all the rest is made by the transfer.
	$b->safe_psql($db, $a->safe_psql($db, q(SELECT format('CREATE EXTENSION IF NOT EXISTS %I;', extname) FROM pg_extension)));
	$b->safe_psql($db, $a->safe_psql($db, q(SELECT format('CREATE SCHEMA %I;', nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public'))));
	my $rows = 0;
	$rows += $_->{count} foreach map { values %$_ } values %{ rows_of($a, $db)->{rows} };

	is(run_script($b, $a, 'SET client_min_messages = warning; SELECT sum(created), sum(updated), sum(error_count), count(*) FROM sync_transfer_all(:c);', db => $db, to_db => $db),
		"$rows|0|0|" . scalar(each_table($a, $db, q(format('SELECT 1')))), "$db: all rows of all tables ($rows)");
	is(run_script($b, $a, 'SELECT * FROM sync_compare_schema(:c);', db => $db, to_db => $db), '', "$db: no difference in definitions");
	is_deeply(definitions_of($b, $db), definitions_of($a, $db), "$db: as pg_dump shows them");
	is(checksums($b, $db), checksums($a, $db), "$db: equal by checksum");
	is_deeply(told_difference($db), [], "$db: and row by row");

	# The changes that are possible.
	my ($ret, $out, $err) = $a->psql($db, "\\set VERBOSITY sqlstate\n$changes", on_error_stop => 0);
	is_deeply([ grep { /ERROR/ && !/23503/ } split /\n/, $err ], [], "$db: changes, less those that foreign keys forbid");
	my ($there, $here) = (rows_of($a, $db), rows_of($b, $db));
	my ($expected, $kinds) = plain_difference($there, $here);
	is_deeply(told_difference($db), $expected, "$db: after changes: what a plain comparison shows");
	cmp_ok($kinds->{$_} // 0, '>=', $least, "$db: ... of kind $_") foreach 'insert', 'update', 'delete';
	my %plain;
	foreach my $table (keys %{ $there->{keyed} })
	{
		my ($theirs, $ours) = map { $_->{text}{$table} || {} } $there, $here;
		next if $there->{keyed}{$table} eq 't';
		$plain{$table} += abs(($theirs->{$_} // 0) - ($ours->{$_} // 0)) foreach keys %{ { %$theirs, %$ours } };
	}
	my %told;
	$told{ (/^(.*)\|\w+\|-\|/)[0] // '' }++ foreach @$expected;
	is_deeply({ map { $_ => $told{$_} // 0 } keys %plain }, \%plain, "$db: as many without a key");

	# Again: rows with a key are overwritten, the others have to be loaded anew.
	my @keyless = keyless($db);
	my $overwrite = 'SET client_min_messages = warning; SELECT sum(created), sum(updated) FROM sync_transfer_all(:c, exclude => ' . array(@keyless) . ", strategy => 'overwrite');";
	my %keyed_kinds;
	/\|(insert|update|delete)\|(?!-)/ && $keyed_kinds{$1}++ foreach @$expected;
	is(run_script($b, $a, $overwrite, db => $db, to_db => $db), "$keyed_kinds{insert}|$keyed_kinds{update}", "$db: overwrite does what the comparison said");
	if (@keyless)
	{
		$b->safe_psql($db, 'TRUNCATE ' . join ', ', @keyless);
		run_script($b, $a, 'SET client_min_messages = warning; SELECT count(*) FROM sync_transfer_all(:c, ' . array(@keyless) . ');', db => $db, to_db => $db);
	}
	my $left = told_difference($db);
	is_deeply($left, [ grep { /\|delete\|(?!-)/ } @$expected ], "$db: what was deleted there is all that is left");

	# At last what was deleted there goes here, too.
	my $deleted = () = grep { /\|delete\|(?!-)/ } @$expected;
	is(run_script($b, $a, 'SET client_min_messages = warning; SELECT sum(created), sum(updated), sum(deleted), bool_and(verified) FROM sync_transfer_all(:c, exclude => ' . array(@keyless) . ", strategy => 'mirror', max_deletes => $deleted, verify => true);", db => $db, to_db => $db),
		"0|0|$deleted|t", "$db: mirror deletes what is left");
	is_deeply(told_difference($db), [], "$db: nothing differs any more");
	is(checksums($b, $db), checksums($a, $db), "$db: equal by checksum");

	my $before = traces($db);
	my $count = () = $before =~ /\n/g;
	cmp_ok($count, '>', 3, "$db: traces of all tables");
	is(run_script($b, $a, $overwrite, db => $db, to_db => $db), '0|0', "$db: a third time: nothing");
	is(traces($db), $before, "$db: not a row is written");
	return;
}

note("seed $seed");
my $random = RandomSchema->new($seed, tables => 200, cycles => 1);
goes_over('random', 40, $random->definitions, $random->contents, $random->changes);
foreach my $name ('tracker', 'ledger')
{
	my ($definitions, $contents, $changes) = split /^-- (?:rows|changes)$/m, slurp_file("schemas/$name.sql");
	goes_over($name, 10, $definitions, $contents, $changes);
}
diag("Run again with SYNC_SEED=$seed.") unless Test::More->builder->is_passing;

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
