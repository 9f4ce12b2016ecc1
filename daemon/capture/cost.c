/*
 * cost.c: see cost.h.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cost.h"

#define TRAP_NS                                                                                                        \
	600 /* of a uprobe on an instruction that need not be stepped: the trap and the way back (docs/cost.md) */
#define MEASURE_NS 1000000000ull
#define SAMPLE_ON_NS 20000000ull
#define SAMPLE_PERIOD_NS 500000000ull /* of a shorter interval each has a sample of its own */

static uint64_t own_cpu(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return 0;
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000ull +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000ull;
}

/* The memory that is ours alone: the ring buffer, mapped from the kernel, is stated beside it. */
static uint64_t own_memory(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long kib = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}

static void sample_on(struct cost *cost, uint64_t now)
{
	if (kernel_measure_cost(cost->kernel, true))
		return;
	kernel_read_cost(cost->kernel, &cost->before);
	cost->on_since = now;
	cost->off_since = 0;
}

static void sample_off(struct cost *cost, uint64_t now)
{
	struct kernel_cost total;
	uint64_t ns;

	kernel_read_cost(cost->kernel, &total);
	kernel_measure_cost(cost->kernel, false);
	ns = total.ns - cost->before.ns + (total.traps - cost->before.traps) * TRAP_NS;
	cost->sampled_ns += ns;
	cost->sampled_runs += total.runs - cost->before.runs;
	cost->sampled_time += now - cost->on_since;
	cost->measured_ns += ns;
	cost->measured_time += now - cost->on_since;
	cost->on_since = 0;
	cost->off_since = now;
}

void cost_begin(struct cost *cost, struct kernel *kernel, struct follow *follow, uint64_t interval, uint64_t now)
{
	uint64_t period = interval && interval < SAMPLE_PERIOD_NS ? interval : SAMPLE_PERIOD_NS;

	memset(cost, 0, sizeof(*cost));
	cost->kernel = kernel;
	cost->follow = follow;
	cost->since = now;
	cost->daemon_cpu = own_cpu();
	cost->target_cpu = follow_cpu(follow);
	cost->sample_off_ns = period > SAMPLE_ON_NS ? period - SAMPLE_ON_NS : 0;
	cost->off_since = cost->measured_since = now;
	sample_on(cost, now);
}

void cost_step(struct cost *cost, uint64_t now)
{
	if (cost->on_since && now - cost->on_since >= SAMPLE_ON_NS)
		sample_off(cost, now);
	else if (!cost->on_since && now - cost->off_since >= cost->sample_off_ns)
		sample_on(cost, now);
}

bool cost_measure(struct cost *cost, double *ret_percent)
{
	if (cost->off_since - cost->measured_since < MEASURE_NS || !cost->off_since || !cost->measured_time)
		return false;
	*ret_percent = 100.0 * cost->measured_ns / cost->measured_time;
	cost->measured_since = cost->off_since;
	cost->measured_ns = cost->measured_time = 0;
	return true;
}

int cost_put(struct cost *cost, struct stream *stream, uint64_t now)
{
	struct nt_cost record = {.h = {.type = NT_COST, .time = now}};
	uint64_t cpu = own_cpu(), target = follow_cpu(cost->follow);

	if (cost->on_since) {
		sample_off(cost, now);
		cost->off_since = now;
	}
	record.wall = now - cost->since;
	record.daemon_cpu = cpu - cost->daemon_cpu;
	record.daemon_rss = own_memory();
	record.target_cpu = target - cost->target_cpu;
	if (cost->sampled_time) {
		double scale = (double)record.wall / cost->sampled_time;

		record.probe_ns = cost->sampled_ns * scale;
		record.probe_runs = cost->sampled_runs * scale;
	}
	cost->since = now;
	cost->daemon_cpu = cpu;
	cost->target_cpu = target;
	cost->sampled_ns = cost->sampled_runs = cost->sampled_time = 0;
	return stream_put_text(stream, &record.h, sizeof(record), "", 0);
}
