/*
 * file_id.h: knows a file again, and that it was not written to meanwhile; for the files of this folder only.
 */
#ifndef NT_FILE_ID_H
#define NT_FILE_ID_H

#include <stdbool.h>
#include <sys/stat.h>

struct file_id {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

static inline struct file_id file_id_of(const struct stat *status)
{
	return (struct file_id){
	    .device = status->st_dev,
	    .inode = status->st_ino,
	    .size = status->st_size,
	    .modified = status->st_mtim,
	    .changed = status->st_ctim,
	};
}

static inline bool file_id_is_equal(const struct file_id *a, const struct file_id *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

#endif
