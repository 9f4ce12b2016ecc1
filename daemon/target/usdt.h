/*
 * usdt.h: which of CPython's USDT probes a file has, for the files of this folder only.
 */
#ifndef NT_USDT_H
#define NT_USDT_H

#include "elf_file.h"
#include "target.h"

/* Reads the notes of the provider `python`. What cannot be read is not there. */
void usdt_read(struct elf_file *file, struct target_usdt *ret_usdt);

#endif
