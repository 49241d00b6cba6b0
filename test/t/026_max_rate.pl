# max_rate: a transfer takes the time that its bytes take at that rate. How much longer it takes is up to the machine.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');
$_->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text)') foreach ($a, $b);
$a->safe_psql('postgres', q(INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) i));

# Bytes and seconds as the result tells them.
sub measure
{
	my ($sql) = @_;
	return split /\|/, run_script($b, $a, $sql);
}

foreach my $case ([ 400_000, '' ], [ 400_000, q(, mode => 'online') ], [ 2_000_000, '' ])
{
	my ($rate, $option) = @$case;
	$b->safe_psql('postgres', 'TRUNCATE t');
	my ($created, $bytes, $seconds) = measure("SELECT created, bytes, extract(epoch FROM duration) FROM sync_transfer(:c, 't', max_rate => $rate$option);");
	is($created, 1000, "$rate bytes per second: all rows");
	cmp_ok($bytes, '>', 1_000_000, 'all bytes');
	cmp_ok($seconds, '>', 0.9 * 1_000_000 / $rate, 'take their time');
}
is($b->safe_psql('postgres', q(SELECT sync_checksum('t'))), $a->safe_psql('postgres', q(SELECT sync_checksum('t'))), 'nothing is lost');

# A rate at which the rest would take a quarter of an hour does not keep anybody from ending it.
$b->safe_psql('postgres', 'TRUNCATE t');
my $began = time;
fails_with($b, "SET statement_timeout = '2s';\n" . pull_script($a, q(SELECT sync_transfer(:c, 't', max_rate => 1000);)), '57014', undef, 'a timeout');
cmp_ok(time - $began, '<', 60, 'comes when it is due');
no_leftovers($a, 'after a timeout');
my $slow = background($b, pull_script($a, q(SELECT sync_transfer(:c, 't', max_rate => 1000);)));
wait_for(sub { $a->safe_psql('postgres', 'SELECT state FROM sync_peers()') eq 'rows' }, 'a slow transfer runs');
$b->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%sync_transfer%' AND pid <> pg_backend_pid()));
finished($slow);
wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'its worker notices');

# A push: the one who sends waits.
$a->safe_psql('postgres', 'CREATE TABLE pushed (LIKE t INCLUDING ALL)');
my ($created, $bytes, $seconds) = split /\|/, $b->safe_psql('postgres', "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) i; CREATE TABLE pushed AS TABLE t; ALTER TABLE pushed ADD PRIMARY KEY (id);\n"
	  . pull_script($a, q(SELECT created, bytes, extract(epoch FROM duration) FROM sync_push(:c, 'pushed', max_rate => 500000);), direction => 'receive'));
is($created, 1000, 'a push');
cmp_ok($seconds, '>', 0.9 * 2, 'takes its time');

# Over plain HTTP, too.
my $code = new_code($a);
my $reply = http_request($a->{sync_port}, "POST /sync/v1/connect HTTP/1.1\r\nHost: x\r\nContent-Length: " . length(qq({"code":"$code"})) . qq(\r\nConnection: close\r\n\r\n{"code":"$code"}));
my ($ticket) = $reply =~ /"ticket":"([0-9a-f]{64})"/;
my $body = '{"table": "t", "limit": 100, "max_rate": 100000}';
$began = time;
$reply = http_request($a->{sync_port}, "POST /sync/v1/rows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $ticket\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body");
like($reply, qr/\r\n0\r\n\r\n\z/, 'JSON lines arrive whole');
cmp_ok(time - $began, '>', 0.9, 'in their time');
like(http_request($a->{sync_port}, "POST /sync/v1/rows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $ticket\r\nContent-Length: 31\r\nConnection: close\r\n\r\n" . '{"table": "t", "max_rate": -10}'), qr/\AHTTP\/1.1 400/, 'a rate that is none');

no_leftovers($a, 'in the end');
done_testing();
