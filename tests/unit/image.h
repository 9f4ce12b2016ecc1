/*
 * image.h: pictures of interpreters' memory, which tests/images/make_image.py took.
 *
 * A file is compressed; in it a line of JSON says what is true of the process, and which memory follows.
 */
#ifndef NT_TESTS_IMAGE_H
#define NT_TESTS_IMAGE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define IMAGE_MAX_SIZE (8u << 20)

struct image {
	json_t *truth;
	json_t *ranges; /* pairs of address and size; their bytes follow each other in `bytes` */
	uint8_t *bytes;
	uint8_t *file;
	size_t hidden; /* index of a range that is said not to be there; beyond the last: none */
};

/* The whole file; NULL: there is none, or it cannot be read. */
static inline uint8_t *image_inflate(const char *path, size_t *ret_size)
{
	uint8_t *bytes = malloc(IMAGE_MAX_SIZE);
	gzFile file = gzopen(path, "rbe");
	int got = file ? gzread(file, bytes, IMAGE_MAX_SIZE) : -1;

	if (file)
		gzclose(file);
	if (got <= 0) {
		free(bytes);
		return NULL;
	}
	*ret_size = (size_t)got;
	return bytes;
}

static inline void image_close(struct image *image)
{
	json_decref(image->truth);
	free(image->file);
}

static inline int image_open(struct image *image, const char *path)
{
	size_t size = 0, index;
	uint64_t total = 0;
	uint8_t *end;
	json_t *range;

	*image = (struct image){.file = image_inflate(path, &size), .hidden = SIZE_MAX};
	end = image->file ? memchr(image->file, '\n', size) : NULL;
	if (end)
		image->truth = json_loadb((const char *)image->file, (size_t)(end - image->file), 0, NULL);
	image->ranges = json_object_get(image->truth, "ranges");
	json_array_foreach(image->ranges, index, range) total += (uint64_t)json_integer_value(json_array_get(range, 1));
	if (!end || !total || total != size - (size_t)(end + 1 - image->file)) {
		image_close(image);
		return -1;
	}
	image->bytes = end + 1;
	return 0;
}

/* 0, or -1 where not all of it is in the picture. */
static inline long image_read(const struct image *image, void *to, uint32_t size, uint64_t address)
{
	const uint8_t *bytes = image->bytes;
	size_t index;
	json_t *range;

	if (size == 0)
		return 0;
	json_array_foreach(image->ranges, index, range)
	{
		uint64_t start = (uint64_t)json_integer_value(json_array_get(range, 0));
		uint64_t length = (uint64_t)json_integer_value(json_array_get(range, 1));

		if (address >= start && address < start + length) {
			if (index == image->hidden || address + size > start + length)
				return -1;
			memcpy(to, bytes + (address - start), size);
			return 0;
		}
		bytes += length;
	}
	return -1;
}

static inline uint64_t image_number(json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

static inline const char *image_text(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

#endif
