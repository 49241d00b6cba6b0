# Tables of random shapes with random rows, the same for the same seed: columns of all kinds of types, keys of all
# kinds or none, defaults, identity, generated columns, checks, unique constraints, indexes, foreign keys (chains,
# diamonds, to the table itself; in cycles where asked for), partitions, odd names.
package RandomSchema;

use strict;
use warnings;

# rand() of one's own seed, whatever else draws numbers.
sub new
{
	my ($class, $seed, %options) = @_;
	my $self = bless { state => $seed & 0x7fffffff, cycles => $options{cycles}, tables => [], used => {} }, $class;
	$self->add_table($_) foreach 1 .. $options{tables};
	$self->add_cycles if $options{cycles};
	return $self;
}

# 48 bits of state, as in drand48(): Perl's own may be seeded from elsewhere.
sub number
{
	my ($self, $below) = @_;
	use integer;
	$self->{state} = ($self->{state} * 25214903917 + 11) & ((1 << 48) - 1);
	return ($self->{state} >> 16) % $below;
}
sub chance { my ($self, $percent) = @_; return $self->number(100) < $percent; }
sub one_of { my ($self, @from) = @_; return $from[ $self->number(scalar @from) ]; }

sub quote_name { my ($name) = @_; $name =~ s/"/""/g; return qq("$name"); }
sub literal { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

# ---- values --------------------------------------------------------------------------------------

my @words = ('', ' ', 'a', 'NULL', 'null', '\N', '\\', 'it\'s', '"q"', "two\nlines", "tab\there", '2024-01-01', '12.50', '{1,2}', '(a,b)', "\xc3\x84rger", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x90\x98", '%s $1 :x', ',');
sub text
{
	my ($self) = @_;
	my $text = join '', map { $self->one_of(@words) } 0 .. $self->number(4);
	$text .= 'x' x $self->number(3000) if $self->chance(3);
	return $text;
}
sub uuid { my ($self) = @_; return sprintf '%08x-%04x-%04x-%04x-%012x', map { $self->number(0x7fffffff) % $_ } 0x7fffffff, 0xffff, 0xffff, 0xffff, 0x7fffffff; }
sub date { my ($self) = @_; return $self->chance(4) ? $self->one_of('infinity', '-infinity', '0044-03-15 BC') : sprintf '%04d-%02d-%02d', 1900 + $self->number(200), 1 + $self->number(12), 1 + $self->number(28); }
sub time_of_day { my ($self) = @_; return sprintf '%02d:%02d:%02d.%06d', map { $self->number($_) } 24, 60, 60, 1000000; }
sub timestamp { my ($self) = @_; my $date = $self->date; return $date =~ /BC|inf/ ? $date : "$date " . $self->time_of_day; }
sub integer { my ($self, $below) = @_; return $self->number($below) * ($self->chance(30) ? -1 : 1); }
sub numeric { my ($self) = @_; return $self->chance(3) ? $self->one_of('NaN', 'Infinity', '0.00', '-0.0', '1e-30', '123456789012345678901234567890.5') : $self->integer(1000000) . '.' . $self->number(1000); }
sub float { my ($self) = @_; return $self->chance(10) ? $self->one_of('NaN', 'Infinity', '-0', '1e-30', '0.1') : $self->integer(1000000) / 128; }
sub bits { my ($self, $count) = @_; return join '', map { $self->number(2) } 1 .. $count; }
sub network { my ($self) = @_; return '10.' . $self->number(256) . '.' . $self->number(256) . '.0'; }
sub json
{
	my ($self, $depth) = @_;
	$depth //= 0;
	my $kind = $self->number($depth > 2 ? 5 : 7);
	return $self->one_of('null', 'true', 'false') if $kind == 0;
	return $self->integer(100000) . $self->one_of('', '.0', '.50') if $kind < 3;
	return '"' . $self->one_of('', 'text', "\xc3\xa9", '\"', '\u00e9', '__json__') . '"' if $kind < 5;
	return '[' . join(', ', map { $self->json($depth + 1) } 1 .. $self->number(4)) . ']' if $kind == 5;
	return '{' . join(',', map { qq("k$_": ) . $self->json($depth + 1) } 1 .. $self->number(4)) . '}';
}
sub element { my ($text) = @_; $text =~ s/(["\\])/\\$1/g; return qq("$text"); }
sub field { my ($text) = @_; $text =~ s/(["\\])/$1$1/g; return qq("$text"); }
sub array
{
	my ($self, $type) = @_;
	return '{}' if $self->chance(10);
	return '[0:1]={' . join(',', map { element($self->value($type)) } 1 .. 2) . '}' if $self->chance(5);
	return '{' . join(',', map { $self->chance(10) ? 'NULL' : element($self->value($type)) } 0 .. $self->number(4)) . '}';
}

# What comes before the tables.
my $types_sql = <<'SQL';
CREATE SCHEMA "Odd Schema";
CREATE TYPE mood AS ENUM ('sad', 'so so', 'hap''py', 'Größe');
CREATE DOMAIN "Posi Int" AS int CHECK (VALUE >= 0);
CREATE DOMAIN short_text AS varchar(10) NOT NULL DEFAULT 'none';
CREATE TYPE "Odd Schema".pair AS (first text, "Second One" int, third date);
CREATE TYPE span AS RANGE (subtype = float8);
SQL

my %values = (
	bool => sub { $_[0]->one_of('t', 'f') },
	int2 => sub { $_[0]->integer(32768) },
	int4 => sub { $_[0]->integer(2147483647) },
	int8 => sub { $_[0]->integer(2147483647) . sprintf '%09d', $_[0]->number(1000000000) },
	numeric => \&numeric,
	'numeric(12,3)' => sub { $_[0]->integer(1000000) . '.' . $_[0]->number(1000) },
	float4 => \&float,
	float8 => \&float,
	money => sub { $_[0]->integer(100000) . '.25' },
	text => \&text,
	'varchar(40)' => sub { 'v' . $_[0]->number(1000000) },
	'char(6)' => sub { $_[0]->one_of('ab', 'abcdef', '') },
	'"char"' => sub { $_[0]->one_of('a', 'Z', '0') },
	name => sub { 'name ' . $_[0]->number(1000) },
	bytea => sub { '\x' . join '', map { sprintf '%02x', $_[0]->number(256) } 1 .. $_[0]->number(20) },
	date => \&date,
	time => \&time_of_day,
	timetz => sub { $_[0]->time_of_day . $_[0]->one_of('+00', '-08', '+05:45') },
	timestamp => \&timestamp,
	timestamptz => \&timestamp,
	'timestamp(0)' => \&timestamp,
	interval => sub { $_[0]->integer(30) . ' mons ' . $_[0]->integer(100) . ' days ' . $_[0]->integer(100000) . ' secs' },
	uuid => \&uuid,
	inet => sub { $_[0]->network . $_[0]->one_of('', '/24', '/8') },
	cidr => sub { $_[0]->network . '/24' },
	macaddr => sub { join ':', map { sprintf '%02x', $_[0]->number(256) } 1 .. 6 },
	macaddr8 => sub { join ':', map { sprintf '%02x', $_[0]->number(256) } 1 .. 8 },
	'bit(5)' => sub { $_[0]->bits(5) },
	varbit => sub { $_[0]->bits($_[0]->number(20)) },
	point => sub { '(' . $_[0]->number(100) / 8 . ',' . $_[0]->number(100) . ')' },
	line => sub { '{1,' . (1 + $_[0]->number(9)) . ',3}' },
	lseg => sub { '[(0,0),(' . $_[0]->number(9) . ',1)]' },
	box => sub { '(2,2),(' . $_[0]->number(2) . ',1)' },
	path => sub { $_[0]->one_of('((0,0),(1,2))', '[(0,0),(1.5,2)]') },
	polygon => sub { '((0,0),(1,2),(' . $_[0]->number(9) . ',0))' },
	circle => sub { '<(1,2),' . $_[0]->number(9) . '>' },
	int4range => sub { my $from = $_[0]->number(100); $_[0]->one_of('empty', "[$from,200)", '(,)', "($from,)") },
	numrange => sub { '[' . $_[0]->number(10) . '.50,20]' },
	tstzrange => sub { '["2024-01-0' . (1 + $_[0]->number(9)) . ' 00:00:00+00",)' },
	int8multirange => sub { $_[0]->one_of('{}', '{[1,3),[5,8)}', '{[' . $_[0]->number(9) . ',10)}') },
	span => sub { '[0.5,' . (1 + $_[0]->number(9)) . ')' },
	xml => sub { $_[0]->one_of('<a/>', '<b>x &amp; y</b>', 'text') },
	json => \&json,
	jsonb => \&json,
	jsonpath => sub { '$.a[' . $_[0]->number(9) . ']' },
	tsvector => sub { "'fat':" . (1 + $_[0]->number(9)) . " 'cat'" },
	tsquery => sub { "'fat' & '" . $_[0]->one_of('cat', 'rat') . "'" },
	oid => sub { $_[0]->number(100000) },
	pg_lsn => sub { sprintf '%X/%X', $_[0]->number(65536), $_[0]->number(65536) },
	regtype => sub { $_[0]->one_of('integer', 'text', 'mood') },
	mood => sub { $_[0]->one_of('sad', 'so so', "hap'py", "Gr\xc3\xb6\xc3\x9fe") },
	'"Posi Int"' => sub { $_[0]->number(1000) },
	short_text => sub { $_[0]->one_of('', 'short', 'ten chars.') },
	'"Odd Schema".pair' => sub { '(' . $_[0]->one_of('', field($_[0]->text)) . ',' . $_[0]->number(99) . ',' . $_[0]->one_of('', '2024-02-29') . ')' },
);
foreach my $type ('int4', 'text', 'numeric', 'timestamptz', 'uuid', 'bool', 'jsonb', 'mood', 'bytea', '"Odd Schema".pair', 'int4range')
{
	$values{"$type\[]"} = sub { $_[0]->array($type) };
}
my @types = sort keys %values;
sub value { my ($self, $type) = @_; return $values{$type}->($self); }

# Types of which row $n gets a value of its own.
my %distinct = (
	int4 => sub { my ($self, $n) = @_; return $n * 7 + $self->number(7) - 100 },
	int8 => sub { my ($self, $n) = @_; return 5000000000 + $n * 11 + $self->number(11) },
	uuid => sub { my ($self, $n) = @_; return sprintf('%08x', $n * 2654435761 % 4294967296) . substr $self->uuid, 8 },
	text => sub { my ($self, $n) = @_; return $self->one_of(@words) . "k$n" },
	'varchar(40)' => sub { my ($self, $n) = @_; return $self->one_of('B', 'a', '_', "\xc3\xa9") . $n },
	'numeric(12,3)' => sub { my ($self, $n) = @_; return "$n." . $self->number(1000) },
	date => sub { my ($self, $n) = @_; return sprintf '%04d-%02d-%02d', 1500 + $n / 300, 1 + $n / 25 % 12, 1 + $n % 25 },
	bytea => sub { my ($self, $n) = @_; return sprintf '\x%06x%02x', $n, $self->number(256) },
);
my @distinct = sort keys %distinct;

# ---- shapes --------------------------------------------------------------------------------------

my @odd_names = ('Mixed Case', 'select', 'quote " it', 'dot.ted', "\xc3\x9cml\xc3\xa4ut", '$1 %s', 'a' x 50, 'semi;colon', "tick's", 'user', '_', '1st', 'back\\slash');
sub new_name
{
	my ($self, $used, $plain) = @_;
	my $name = $self->chance(15) ? $self->one_of(@odd_names) : $plain;
	$name = "$name $plain" if $used->{$name}++;
	return $name;
}

# A column; $n tells it apart from the others of its table.
sub add_column
{
	my ($self, $table, $type, %more) = @_;
	my $name = $self->new_name($table->{names}, 'c' . (1 + scalar @{ $table->{columns} }));
	my $column = { name => quote_name($name), type => $type, %more };
	push @{ $table->{columns} }, $column;
	return $column;
}

sub add_table
{
	my ($self, $n) = @_;
	my $schema = $self->chance(15) ? '"Odd Schema"' : 'public';
	my $name = $self->new_name($self->{used}, sprintf 't%03d', $n);
	my $table = { name => "$schema." . quote_name($name), columns => [], names => {}, extra => [], after => [], rows => [], next => 1, number => $n };

	my $kind = $self->one_of(('simple') x 8, 'composite', 'composite', 'none', 'unique');
	my @key;
	if ($kind eq 'composite')
	{
		@key = map { $self->add_column($table, $self->one_of(@distinct), distinct => 1) } 0 .. 1 + $self->number(2);
	}
	elsif ($kind ne 'none')
	{
		@key = $self->add_column($table, $self->one_of('int4', 'int4', 'int8', @distinct), distinct => 1);
		$key[0]{identity} = $self->one_of('ALWAYS', 'BY DEFAULT') if $key[0]{type} =~ /^int/ && $kind eq 'simple' && $self->chance(40);
	}
	$_->{not_null} = 1 foreach @key;
	$table->{key} = \@key;
	$table->{kind} = $kind;

	$self->partition($table) if @key && $self->chance(15);
	my $names = join ', ', map { $_->{name} } $self->chance(30) ? reverse @key : @key;
	push @{ $table->{extra} }, $kind eq 'unique' ? "UNIQUE ($names)" : "PRIMARY KEY ($names)" if @key;

	foreach (1 .. 1 + $self->number(9))
	{
		my $column = $self->add_column($table, $self->one_of(@types));
		$column->{not_null} = $self->chance(25);
		my $plain = $column->{type} !~ /regtype|"char"/;
		$column->{default} = literal($self->value($column->{type})) if $plain && $self->chance(15);
	}
	$self->add_column($table, 'int4', default => 'SERIAL', not_null => 1) if $self->chance(8);
	$self->add_column($table, 'timestamptz', default => $self->one_of('now()', 'CURRENT_TIMESTAMP')) if $self->chance(8);
	$self->add_column($table, 'int8', identity => 'BY DEFAULT', not_null => 1) if $self->chance(5) && !grep { $_->{identity} } @key;
	$self->add_checks($table);
	$self->add_references($table);
	$self->add_indexes($table);
	push @{ $self->{tables} }, $table;
	$self->add_row($table) foreach 1 .. ($n % 67 == 0 ? 6000 : $self->one_of(0, 1, 5 + $self->number(15), 20 + $self->number(40)));
	return;
}

sub partition
{
	my ($self, $table) = @_;
	my $how = $self->one_of('LIST', 'RANGE', 'HASH');
	my ($first) = @{ $table->{key} };
	delete $first->{identity};
	my $partition = sub { my ($part, $bounds) = @_; return "CREATE TABLE $part PARTITION OF $table->{name} $bounds"; };
	my $part = sub { return 'public.' . quote_name("part $table->{number} $_[0]"); };
	if ($how eq 'HASH')
	{
		$table->{partition} = "PARTITION BY HASH ($first->{name})";
		push @{ $table->{parts} }, $partition->($part->($_), "FOR VALUES WITH (MODULUS 3, REMAINDER $_)") foreach 0 .. 2;
		return;
	}
	my $region = $self->add_column($table, $how eq 'LIST' ? 'mood' : 'int2', not_null => 1);
	push @{ $table->{key} }, $region;
	$table->{partition} = "PARTITION BY $how ($region->{name})";
	push @{ $table->{parts} }, $how eq 'LIST'
	  ? ($partition->($part->('sad'), "FOR VALUES IN ('sad', 'so so')"), $partition->($part->('rest'), 'DEFAULT'))
	  : ($partition->($part->('low'), 'FOR VALUES FROM (MINVALUE) TO (0)'), $partition->($part->('high'), 'FOR VALUES FROM (0) TO (MAXVALUE)'));
	return;
}

sub add_checks
{
	my ($self, $table) = @_;
	my @numbers = grep { $_->{type} =~ /^int[48]$/ && !$_->{identity} } @{ $table->{columns} };
	if (@numbers && $self->chance(25))
	{
		my $source = $self->one_of(@numbers);
		$self->add_column($table, 'int8', generated => "($source->{name}::int8 % 1000) + 1");
	}
	foreach my $column (@{ $table->{columns} })
	{
		push @{ $table->{extra} }, "CHECK ($column->{name} > -10000000000)" if $column->{type} =~ /^int[48]$/ && !$column->{generated} && $column->{distinct} && $self->chance(10);
		push @{ $table->{extra} }, "CHECK (length($column->{name}) < 1000000)" if $column->{type} eq 'text' && $self->chance(10);
	}
	return;
}

# Foreign keys to the tables before, and to the table itself.
sub add_references
{
	my ($self, $table) = @_;
	foreach (1 .. $self->one_of(0, 0, 1, 1, 2))
	{
		my @targets = grep { @{ $_->{key} } } @{ $self->{tables} };
		$self->add_reference($table, $self->one_of(@targets)) if @targets;
	}
	$self->add_reference($table, $table) if @{ $table->{key} } && $self->chance(10);
	return;
}

sub add_reference
{
	my ($self, $table, $target) = @_;
	my @columns = map { $self->add_column($table, $_->{type}, refers => 1) } @{ $target->{key} };
	my $not_null = $table != $target && $self->chance(30);
	$_->{not_null} = $not_null foreach @columns;
	my $action = $self->one_of('', '', ' ON DELETE CASCADE', $not_null ? '' : ' ON DELETE SET NULL', ' ON UPDATE CASCADE', ' DEFERRABLE', ' DEFERRABLE INITIALLY DEFERRED');
	$action = '' if $action =~ /SET NULL/ && $table->{partition};
	push @{ $table->{references} }, { columns => \@columns, target => $target };
	push @{ $table->{after} }, "ALTER TABLE $table->{name} ADD FOREIGN KEY (" . join(', ', map { $_->{name} } @columns) . ") REFERENCES $target->{name} ("
	  . join(', ', map { $_->{name} } @{ $target->{key} }) . ")$action";
	return;
}

# A nullable reference from a table to one that refers to it.
sub add_cycles
{
	my ($self) = @_;
	foreach my $table (@{ $self->{tables} })
	{
		my ($reference) = grep { $_->{target} != $table && @{ $table->{key} } } @{ $table->{references} || [] };
		next unless $reference && $self->chance(10);
		my $target = $reference->{target};
		my $before = @{ $target->{after} };
		$self->add_reference($target, $table);
		$_->{not_null} = 0 foreach @{ $target->{references}[-1]{columns} };
		push @{ $self->{cycles_after} }, splice @{ $target->{after} }, $before;
		foreach my $row (@{ $target->{rows} }) { $self->fill_references($target, $row, $target->{references}[-1]); }
	}
	return;
}

sub add_indexes
{
	my ($self, $table) = @_;
	my @columns = grep { $_->{type} =~ /^(int[248]|text|varchar\(40\)|date|numeric(\(12,3\))?|uuid)\z/ } @{ $table->{columns} };
	return unless @columns;
	push @{ $table->{after} }, "CREATE INDEX ON $table->{name} (" . $self->one_of(@columns)->{name} . ')' if $self->chance(30);
	push @{ $table->{after} }, "CREATE INDEX ON $table->{name} (" . $self->one_of(@columns)->{name} . ') WHERE ' . $self->one_of(@columns)->{name} . ' IS NOT NULL' if $self->chance(15);
	push @{ $table->{after} }, "CREATE INDEX ON $table->{name} ((" . $self->one_of(@columns)->{name} . '::text COLLATE "C")) ' if $self->chance(15) && !grep { $_->{type} eq 'date' } @columns;
	push @{ $table->{after} }, "CREATE INDEX ON $table->{name} USING hash (" . $self->one_of(@columns)->{name} . ')' if $self->chance(5);
	if (!$table->{partition} && $self->chance(15))
	{
		my $column = $self->add_column($table, $self->one_of(@distinct), distinct => 1);
		push @{ $table->{after} }, $self->chance(50) ? "ALTER TABLE $table->{name} ADD UNIQUE ($column->{name})" : "CREATE UNIQUE INDEX ON $table->{name} ($column->{name})";
	}
	return;
}

# ---- rows ----------------------------------------------------------------------------------------

sub new_value
{
	my ($self, $column, $n) = @_;
	return 'NULL' if !$column->{not_null} && !$column->{distinct} && $self->chance(20) && $column->{type} ne 'short_text';
	return literal($column->{distinct} ? $distinct{ $column->{type} }->($self, $n) : $self->value($column->{type}));
}

# Values by name of column.
sub new_row
{
	my ($self, $table) = @_;
	my $n = $table->{next}++;
	my %row;
	foreach my $column (@{ $table->{columns} })
	{
		next if $column->{generated} || $column->{refers};
		$row{ $column->{name} } = $self->new_value($column, $n);
	}
	foreach my $reference (@{ $table->{references} || [] }) { $self->fill_references($table, \%row, $reference) or return; }
	return \%row;
}

sub fill_references
{
	my ($self, $table, $row, $reference) = @_;
	my ($columns, $target) = @$reference{qw(columns target)};
	my @candidates = @{ $target->{rows} };
	return 0 if !@candidates && $columns->[0]{not_null};
	my $chosen = @candidates && ($columns->[0]{not_null} || $self->chance(80)) ? $self->one_of(@candidates) : undef;
	foreach my $i (0 .. $#$columns) { $row->{ $columns->[$i]{name} } = $chosen ? $chosen->{ $target->{key}[$i]{name} } : 'NULL'; }
	return 1;
}

sub add_row
{
	my ($self, $table) = @_;
	my $row = $self->new_row($table) or return;
	push @{ $table->{rows} }, $row;
	return;
}

sub insert
{
	my ($table, @rows) = @_;
	my @names = map { $_->{name} } grep { !$_->{generated} } @{ $table->{columns} };
	return '' unless @rows;
	return "INSERT INTO $table->{name} (" . join(', ', @names) . ') OVERRIDING SYSTEM VALUE VALUES '
	  . join(",\n", map { my $row = $_; '(' . join(', ', map { $row->{$_} } @names) . ')' } @rows) . ";\n";
}

# ---- the result ----------------------------------------------------------------------------------

sub definitions
{
	my ($self) = @_;
	my $sql = "SET client_encoding = 'UTF8';\n$types_sql";
	foreach my $table (@{ $self->{tables} })
	{
		my @parts = map {
			join ' ', $_->{name}, $_->{default} && $_->{default} eq 'SERIAL' ? 'serial' : $_->{type},
			  $_->{not_null} ? 'NOT NULL' : (), $_->{identity} ? "GENERATED $_->{identity} AS IDENTITY" : (),
			  $_->{generated} ? "GENERATED ALWAYS AS ($_->{generated}) STORED" : (), $_->{default} && $_->{default} ne 'SERIAL' ? "DEFAULT $_->{default}" : ()
		} @{ $table->{columns} };
		$sql .= "CREATE TABLE $table->{name} (" . join(', ', @parts, @{ $table->{extra} }) . ') ' . ($table->{partition} // '') . ";\n";
		$sql .= "$_;\n" foreach @{ $table->{parts} || [] }, @{ $table->{after} };
	}
	$sql .= "$_;\n" foreach @{ $self->{cycles_after} || [] };
	return $sql;
}

sub contents
{
	my ($self) = @_;
	return "SET client_encoding = 'UTF8';\n" . ($self->{cycles} ? "SET session_replication_role = replica;\n" : '') . "BEGIN;\n" . join('', map { insert($_, @{ $_->{rows} }) } @{ $self->{tables} }) . "COMMIT;\n";
}

# A statement each; those that a constraint forbids are to be passed over.
sub changes
{
	my ($self) = @_;
	my @sql = ("SET client_encoding = 'UTF8'");
	foreach my $table (@{ $self->{tables} })
	{
		next if $self->chance(20);
		my @free = grep { !$_->{generated} && !$_->{distinct} && !$_->{identity} && !$_->{refers} } @{ $table->{columns} };
		my @key = @{ $table->{key} };
		my $where = sub {
			my ($row) = @_;
			return join ' AND ', map { "$_->{name} = $row->{$_->{name}}" } @key if @key;
			return "ctid = (SELECT min(ctid) FROM $table->{name})";
		};
		foreach (1 .. 1 + $self->number(3))
		{
			my @rows = @{ $table->{rows} };
			push @sql, insert($table, grep { defined } map { $self->new_row($table) } 0 .. $self->number(2)) =~ s/;\n\z//r if $self->chance(60);
			next unless @rows;
			my $row = $self->one_of(@rows);
			push @sql, "UPDATE $table->{name} SET " . join(', ', map { "$_->{name} = " . $self->new_value($_, 0) } $self->one_of(@free)) . ' WHERE ' . $where->($row) if @free && $self->chance(70);
			if ($self->chance(30) && @{ $table->{references} || [] })
			{
				my $reference = $self->one_of(@{ $table->{references} });
				my %new;
				push @sql, "UPDATE $table->{name} SET " . join(', ', map { "$_->{name} = $new{$_->{name}}" } @{ $reference->{columns} }) . ' WHERE ' . $where->($row) if $self->fill_references($table, \%new, $reference);
			}
			push @sql, "DELETE FROM $table->{name} WHERE " . $where->($self->one_of(@rows)) if $self->chance(40);
			next if !@key || grep { ($_->{identity} // '') eq 'ALWAYS' } @key;
			my $n = $table->{next}++;
			push @sql, "UPDATE $table->{name} SET " . join(', ', map { "$_->{name} = " . $self->new_value($_, $n) } grep { $_->{distinct} } @{ $table->{columns} }) . ' WHERE ' . $where->($row) if $self->chance(30);
		}
	}
	return join '', map { "$_;\n" } grep { $_ ne '' } @sql;
}

1;
