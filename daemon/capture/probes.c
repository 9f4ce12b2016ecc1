/*
 * probes.c: see probes.h.
 *
 * libbpf's own tables of probes are not for several threads at once: while ours runs, nobody else attaches any.
 */
#include "probes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum work { WORK_ATTACH, WORK_DETACH, WORK_COUNT };

/* A piece of work for the thread. Who asked for it frees it when it is done; the thread does if nobody asks any more.
 */
struct probes_job {
	enum work work;
	struct target target;
	struct kernel_usdt *links; /* of WORK_ATTACH: what came of it; of WORK_DETACH: what is to be taken off */
	int error;
	uint64_t calls;
	bool done, forgotten;
	struct probes_job *next;
};

struct probes {
	struct kernel *kernel;
	uint64_t on, period, began;
	bool stopped, running, threaded;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below, and of the jobs' `done` and `forgotten` */
	pthread_cond_t wake;
	bool quit;
	struct probes_job *first, *last; /* to do */
};

struct probes *probes_new(struct kernel *kernel, uint64_t on, uint64_t period)
{
	struct probes *probes = calloc(1, sizeof(*probes));

	if (!probes)
		return NULL;
	probes->kernel = kernel;
	probes->on = on;
	probes->period = period;
	pthread_mutex_init(&probes->lock, NULL);
	pthread_cond_init(&probes->wake, NULL);
	return probes;
}

static void job_do(struct probes *probes, struct probes_job *job)
{
	uint64_t before;

	switch (job->work) {
	case WORK_ATTACH:
		job->error =
		    kernel_usdt_attach(probes->kernel, job->target.pid, job->target.binary, false, &job->links);
		break;
	case WORK_DETACH:
		kernel_usdt_detach(job->links);
		job->links = NULL;
		break;
	case WORK_COUNT:
		before = kernel_usdt_calls(probes->kernel);
		job->error = kernel_usdt_attach(probes->kernel, job->target.pid, job->target.binary, true, &job->links);
		if (job->error)
			break;
		usleep(PROBES_SAMPLE_NS / 1000);
		job->calls = kernel_usdt_calls(probes->kernel) - before;
		kernel_usdt_detach(job->links);
		job->links = NULL;
		break;
	}
}

static void job_free(struct probes_job *job)
{
	kernel_usdt_detach(job->links);
	free(job);
}

/* The next job; NULL: it is time to go. */
static struct probes_job *take_job(struct probes *probes)
{
	struct probes_job *job;

	pthread_mutex_lock(&probes->lock);
	while (!probes->first && !probes->quit)
		pthread_cond_wait(&probes->wake, &probes->lock);
	job = probes->quit ? NULL : probes->first;
	if (job) {
		probes->first = job->next;
		if (!probes->first)
			probes->last = NULL;
	}
	pthread_mutex_unlock(&probes->lock);
	return job;
}

static void *work(void *context)
{
	struct probes *probes = context;
	struct probes_job *job;
	bool forgotten;

	while ((job = take_job(probes))) {
		job_do(probes, job);
		pthread_mutex_lock(&probes->lock);
		job->done = true;
		forgotten = job->forgotten;
		pthread_mutex_unlock(&probes->lock);
		if (forgotten)
			job_free(job);
	}
	return NULL;
}

void probes_run(struct probes *probes, uint64_t now)
{
	probes->began = now;
	probes->running = true;
}

void probes_free(struct probes *probes)
{
	struct probes_job *job, *next;

	if (!probes)
		return;
	pthread_mutex_lock(&probes->lock);
	probes->quit = true;
	pthread_cond_signal(&probes->wake);
	pthread_mutex_unlock(&probes->lock);
	if (probes->threaded)
		pthread_join(probes->thread, NULL);
	for (job = probes->first; job; job = next) {
		next = job->next;
		job_free(job);
	}
	pthread_cond_destroy(&probes->wake);
	pthread_mutex_destroy(&probes->lock);
	free(probes);
}

/* Without a thread, or before it is due, the work is done here and now. */
static void give(struct probes *probes, struct probes_job *job)
{
	if (probes->running && !probes->threaded)
		probes->threaded = !pthread_create(&probes->thread, NULL, work, probes);
	if (!probes->running || !probes->threaded) {
		job_do(probes, job);
		job->done = true;
		return;
	}
	pthread_mutex_lock(&probes->lock);
	if (probes->last)
		probes->last->next = job;
	else
		probes->first = job;
	probes->last = job;
	pthread_cond_signal(&probes->wake);
	pthread_mutex_unlock(&probes->lock);
}

/* False: no memory. */
static bool ask(struct probes *probes, struct probes_process *process, const struct target *target, enum work work)
{
	struct probes_job *job = calloc(1, sizeof(*job));

	if (!job)
		return false;
	job->work = work;
	job->target = *target;
	if (work == WORK_DETACH) {
		job->links = process->links;
		process->links = NULL;
	}
	process->job = job;
	give(probes, job);
	return true;
}

/* Are probes on, by the clock? */
static bool is_on(const struct probes *probes, uint64_t now)
{
	if (probes->stopped)
		return false;
	return !probes->running || !probes->period || (now - probes->began) % probes->period < probes->on;
}

int probes_want(struct probes *probes, struct probes_process *process, const struct target *target)
{
	struct probes_result result;

	if (probes->stopped)
		return -ECANCELED;
	process->wanted = true;
	if (process->links)
		return 0;
	if (probes->running)
		return -EAGAIN; /* probes_step() */
	if (!ask(probes, process, target, WORK_ATTACH))
		return -ENOMEM;
	return probes_poll(probes, process, &result) && result.news == PROBES_ON ? 0 : -EIO;
}

bool probes_count(struct probes *probes, struct probes_process *process, const struct target *target)
{
	return !probes->stopped && !process->job && ask(probes, process, target, WORK_COUNT);
}

static void forget_job(struct probes *probes, struct probes_process *process)
{
	struct probes_job *job = process->job;
	bool done;

	process->job = NULL;
	if (!job)
		return;
	pthread_mutex_lock(&probes->lock);
	done = job->done;
	job->forgotten = true;
	pthread_mutex_unlock(&probes->lock);
	if (!done)
		return;
	/* What came of it is taken off as it would have been, had it been taken. */
	process->links = job->links;
	job->links = NULL;
	job_free(job);
}

void probes_drop(struct probes *probes, struct probes_process *process)
{
	static const struct target nobody;

	process->wanted = false;
	forget_job(probes, process);
	if (process->links && ask(probes, process, &nobody, WORK_DETACH))
		forget_job(probes, process);
	kernel_usdt_detach(process->links);
	process->links = NULL;
}

void probes_stop(struct probes *probes)
{
	probes->stopped = true;
}

bool probes_is_stopped(const struct probes *probes)
{
	return probes->stopped;
}

void probes_step(struct probes *probes, struct probes_process *process, const struct target *target, uint64_t now)
{
	bool on = is_on(probes, now);

	if (!process->wanted || process->job || on == (process->links != NULL))
		return;
	ask(probes, process, target, on ? WORK_ATTACH : WORK_DETACH);
}

bool probes_poll(struct probes *probes, struct probes_process *process, struct probes_result *ret_result)
{
	struct probes_job *job = process->job;
	bool done;

	if (!job)
		return false;
	pthread_mutex_lock(&probes->lock);
	done = job->done;
	pthread_mutex_unlock(&probes->lock);
	if (!done)
		return false;
	process->job = NULL;
	*ret_result = (struct probes_result){.calls = job->calls};
	if (job->work == WORK_ATTACH) {
		process->links = job->links;
		job->links = NULL;
		ret_result->news = job->error ? PROBES_FAILED : PROBES_ON;
		process->wanted = !job->error;
	} else {
		ret_result->news = job->work == WORK_COUNT ? PROBES_COUNTED : PROBES_OFF;
	}
	job_free(job);
	return true;
}
