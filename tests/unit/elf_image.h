/*
 * elf_image.h: small ELF files made by tests, whole and broken.
 */
#ifndef NT_TEST_ELF_IMAGE_H
#define NT_TEST_ELF_IMAGE_H

#include "test.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A library as a linker would make it, with the sections that an interpreter is known by. One segment, at BASE. */
#define IMAGE_SIZE 4096
#define IMAGE_BASE 0x400000ull

struct image {
	uint8_t bytes[IMAGE_SIZE];
	size_t used;
	unsigned sections;
	Elf64_Shdr headers[12];
	char names[128];
	size_t names_used;
};

static inline size_t image_append(struct image *image, const void *data, size_t size)
{
	size_t at = (image->used + 15) & ~(size_t)15;

	assert_true(at + size <= IMAGE_SIZE);
	memcpy(image->bytes + at, data, size);
	image->used = at + size;
	return at;
}

/* Returns the section's index. */
static inline unsigned image_add_section(struct image *image, const char *name, uint32_t type, const void *data,
					 size_t size)
{
	Elf64_Shdr *header = &image->headers[image->sections];
	size_t at = image_append(image, data, size);

	*header = (Elf64_Shdr){
	    .sh_name = (uint32_t)image->names_used,
	    .sh_type = type,
	    .sh_addr = IMAGE_BASE + at,
	    .sh_offset = at,
	    .sh_size = size,
	    .sh_addralign = 1,
	};
	strcpy(image->names + image->names_used, name);
	image->names_used += strlen(name) + 1;
	return image->sections++;
}

static inline void image_add_symbol(struct image *image, uint32_t table_type, const char *name, unsigned section)
{
	Elf64_Sym symbols[2] = {{0},
				{.st_name = 1, .st_info = STT_OBJECT, .st_shndx = (uint16_t)section, .st_size = 8}};
	char strings[32] = "";
	unsigned table;

	symbols[1].st_value = section ? image->headers[section].sh_addr : 0;
	strcpy(strings + 1, name);
	table = image_add_section(image, table_type == SHT_DYNSYM ? ".dynsym" : ".symtab", table_type, symbols,
				  sizeof(symbols));
	image->headers[table].sh_entsize = sizeof(Elf64_Sym);
	image->headers[table].sh_link = image_add_section(image, ".strings", SHT_STRTAB, strings, sizeof(strings));
}

static inline void image_begin(struct image *image)
{
	memset(image, 0, sizeof(*image));
	image->used = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
	image->names_used = 1;
	image->sections = 1;
}

static inline void image_end(struct image *image)
{
	Elf64_Ehdr header = {
	    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	    .e_type = ET_DYN,
	    .e_machine = EM_X86_64,
	    .e_version = EV_CURRENT,
	    .e_phoff = sizeof(Elf64_Ehdr),
	    .e_ehsize = sizeof(Elf64_Ehdr),
	    .e_phentsize = sizeof(Elf64_Phdr),
	    .e_phnum = 1,
	    .e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Phdr segment = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = IMAGE_BASE, .p_align = 4096};

	header.e_shstrndx =
	    (uint16_t)image_add_section(image, ".shstrtab", SHT_STRTAB, image->names, sizeof(image->names));
	header.e_shnum = (uint16_t)image->sections;
	header.e_shoff = image_append(image, image->headers, image->sections * sizeof(image->headers[0]));
	segment.p_filesz = segment.p_memsz = image->used;
	memcpy(image->bytes, &header, sizeof(header));
	memcpy(image->bytes + sizeof(header), &segment, sizeof(segment));
}

/* A file that has these bytes; its descriptor. */
static inline int make_file(const void *bytes, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

#endif
