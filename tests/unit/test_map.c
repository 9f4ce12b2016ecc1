/*
 * test_map.c: the map, and what is remembered across runs, against lists that are looked through.
 */
#include "test.h"

#include <string.h>

#include "../../daemon/finding/remember.h"
#include "../../daemon/map.h"

#define NUMBERS 300 /* different ones: few, so that they come again */
#define STEPS 20000
#define SIZE 100 /* of the table */

/* Such as collide, and such as do not. */
static uint64_t draw_number(void)
{
	uint64_t number = test_random_below(NUMBERS);

	return number % 2 ? number : number << 40;
}

static size_t count_all(const struct map *map)
{
	size_t at = 0, count = 0;

	while (map_next(map, &at))
		count++;
	return count;
}

/* Values are addresses of their numbers' places in here. */
static char places[2][NUMBERS];

static char *place_of(uint64_t number)
{
	return number >> 40 ? &places[1][number >> 40] : &places[0][number];
}

static void test_map(void **state)
{
	struct map map = {0};
	size_t count = 0;

	(void)state;
	memset(places, 0, sizeof(places));
	for (int step = 0; step < STEPS; step++) {
		uint64_t number = draw_number();
		char *place = place_of(number);

		assert_true(map_find(&map, number) == (*place ? place : NULL));
		if (*place) {
			map_remove(&map, number);
			count--;
		} else {
			assert_int_equal(map_add(&map, number, place), 0);
			count++;
		}
		*place = !*place;
		assert_true(map.count == count);
	}
	assert_true(count_all(&map) == count);
	for (uint64_t number = 0; number < NUMBERS; number++)
		assert_true(!places[0][number] || map_find(&map, number) == &places[0][number]);
	map_free(&map);
	assert_null(map_find(&map, 1));
	map_remove(&map, 1);
}

struct model {
	uint64_t ids[SIZE], whens[SIZE]; /* the oldest first */
	size_t count;
	uint64_t refused, lost;
};

static size_t model_find(const struct model *model, uint64_t id)
{
	size_t i = 0;

	while (i < model->count && model->ids[i] != id)
		i++;
	return i;
}

static void model_drop(struct model *model, size_t i)
{
	model->count--;
	memmove(&model->ids[i], &model->ids[i + 1], (model->count - i) * sizeof(model->ids[0]));
	memmove(&model->whens[i], &model->whens[i + 1], (model->count - i) * sizeof(model->whens[0]));
}

static void model_put(struct model *model, uint64_t id, uint64_t when)
{
	size_t i = model_find(model, id);

	if (i < model->count) {
		model_drop(model, i);
	} else if (model->count == SIZE) {
		model->refused++;
		model->lost = model->whens[0] > model->lost ? model->whens[0] : model->lost;
		model_drop(model, 0);
	}
	model->ids[model->count] = id;
	model->whens[model->count++] = when;
}

/* Each entry's `number` is its id. */
static void assert_like(const struct remember_table *table, const struct model *model)
{
	for (uint64_t number = 0; number < NUMBERS; number++) {
		uint64_t id = number % 2 ? number : number << 40;
		size_t i = model_find(model, id);
		const struct remember_value *value = remember_find(table, id);

		assert_true((value != NULL) == (i < model->count));
		assert_true(!value || (value->number == id && value->when == model->whens[i]));
	}
	assert_true(*table->refused == model->refused);
	assert_true(table->lost == model->lost);
}

static void test_remember(void **state)
{
	uint64_t refused = 0;
	struct remember_table table = {.size = SIZE, .refused = &refused};
	struct model model = {.count = 0};

	(void)state;
	for (uint64_t step = 1; step <= STEPS; step++) {
		uint64_t id = draw_number(), kind = test_random_below(100);
		struct remember_value *value;

		if (kind < 10) {
			remember_drop(&table, id);
			if (model_find(&model, id) < model.count)
				model_drop(&model, model_find(&model, id));
		} else if (kind < 12) {
			uint64_t before = step > 50 ? step - 50 : 0;

			remember_expire(&table, before);
			while (model.count && model.whens[0] < before)
				model_drop(&model, 0);
		} else {
			model_put(&model, id, step);
			value = remember_put(&table, id, step);
			assert_non_null(value);
			assert_true(value->number == id || value->number == 0); /* as it was, or new */
			value->number = id;
		}
		if (step % 100 == 0)
			assert_like(&table, &model);
	}
	assert_true(refused > 0);
	remember_clear(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_map),
	    cmocka_unit_test(test_remember),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
