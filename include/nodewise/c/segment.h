/* A segment is memory that processes of one user share: usually a dataset that one process places and others
 * map (docs/shared-memory.md). It has a name, or it is a memfd, which other processes open by its descriptor.
 * A loader makes a segment with nw_loader_options.segment. */
#ifndef NODEWISE_C_SEGMENT_H
#define NODEWISE_C_SEGMENT_H

#include <nodewise/c/loader.h>

typedef int32_t nw_segment_kind;
enum { NW_SEGMENT_DATASET = 0, NW_SEGMENT_OBJECTS = 1, NW_SEGMENT_RING = 2 };
/* "dataset", ...; "" for a number that is no kind. Valid for ever. */
NW_API const char* nw_segment_kind_name(nw_segment_kind kind);

/* Whether the process that made a segment is running. NW_OWNER_UNKNOWN: it is in another pid namespace. */
typedef int32_t nw_owner_state;
enum { NW_OWNER_ALIVE = 0, NW_OWNER_DEAD = 1, NW_OWNER_UNKNOWN = 2 };

/* Opens a segment of this user. If another process is still making or removing it, waits at most `patience`
 * seconds; negative: without a limit. Errors: NW_SYSTEM (ENOENT: there is no such segment; EPERM, EACCES: it
 * belongs to another user; ETIMEDOUT), NW_FORMAT (the file is no segment, or is damaged),
 * NW_INVALID_ARGUMENT (bad name). */
NW_API nw_error nw_segment_open(const char* name, nw_access access, double patience, nw_segment* out);
/* Opens a memfd by a descriptor that came from another process. The caller keeps the descriptor. */
NW_API nw_error nw_segment_open_descriptor(int32_t descriptor, nw_access access, nw_segment* out);

/* The texts are valid until the segment, or the list, is freed. */
typedef struct nw_segment_info {
  size_t size;            /* set by the caller: sizeof(nw_segment_info) */
  const char* name;       /* "" for a memfd */
  const char* path;       /* of the segment's file; "" for a memfd */
  const char* origin;     /* the name of the source of the data; "" if there was none */
  const char* fault;      /* in a list: why the header cannot be read; else "" */
  uint64_t data_bytes;    /* the data without the header; 0 in a list */
  uint64_t file_bytes;    /* in a list: the size of the file; else 0 */
  double created;         /* in seconds since the beginning of 1970, UTC */
  nw_dataset dataset;     /* zeros if the segment holds no dataset */
  uint64_t start_ticks;   /* when the process that made it began: field 22 of /proc/PID/stat */
  uint64_t pid_namespace; /* of that process: the inode of /proc/PID/ns/pid */
  uint32_t pid;           /* of that process */
  uint32_t uid;
  nw_owner_state owner;
  nw_segment_kind kind;
  nw_layout layout;
  nw_access access;   /* as it was opened; NW_READ_ONLY in a list */
  int32_t kept;       /* 1: it stays when no process holds it */
  int32_t published;  /* 0 in a list: it is being made, or its maker died before it was finished */
  int32_t held;       /* 1: a process holds it */
  int32_t attached;   /* in a list: how often it is open; -1: not known */
  int32_t descriptor; /* of a memfd that is open, which the segment owns; else -1 */
  int32_t reserved;   /* 0 */
} nw_segment_info;
NW_API nw_error nw_segment_describe(nw_segment segment, nw_segment_info* out);

NW_API nw_error nw_segment_num_batches(nw_segment segment, uint64_t* out);
/* A view of a batch; nothing is copied. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_segment_batch(nw_segment segment, uint64_t batch, nw_view* out);
/* The owner of the memory: while it exists, views stay valid, even after the segment is freed. */
NW_API nw_error nw_segment_pages(nw_segment segment, nw_pages* out);
/* The plan by which the pages were placed, as nw_plan_from_json() reads it. "" if there is no dataset. */
NW_API nw_error nw_segment_plan_json(nw_segment segment, char** out);
/* A loader over the dataset in the segment, as nw_loader_open() makes it. */
NW_API nw_error nw_segment_loader(nw_segment segment, const nw_loader_options* options, nw_loader* out);
/* Removes the name: processes that hold the segment keep it, but no other process can open it. */
NW_API nw_error nw_segment_remove(nw_segment segment);

/* All segments of this user, ordered by folder and name. Waits for no other process. */
NW_API nw_error nw_segment_list_all(nw_segment_list* out);

typedef struct nw_collect_options {
  size_t size;       /* set by the caller: sizeof(nw_collect_options) */
  double older_than; /* with `kept`: the least age in seconds */
  int32_t kept;      /* 1: removes kept segments, too, if they are old enough */
  int32_t dry_run;   /* 1: removes nothing, and gives what would be removed */
} nw_collect_options;
/* Removes segments that no process holds and whose maker is dead, and gives them as a list
 * (docs/shared-memory.md). */
NW_API nw_error nw_segment_collect(const nw_collect_options* options, nw_segment_list* out);

NW_API nw_error nw_segment_list_count(nw_segment_list list, size_t* out);
/* If `fault` is not "" or `published` is 0, only these members have a meaning: name, path, fault, published,
 * file_bytes, held and attached. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_segment_list_describe(nw_segment_list list, size_t index, nw_segment_info* out);

#endif
