/*
 * Prints messages of the FUSE protocol as the kernel's own header lays them out, one line each: name, then hex.
 * Every field has a value of its own, so that two fields in the wrong order show. The output is
 * test/golden/fuse-wire.txt; fuse-wire.test.ts compares, where there is a compiler.
 */
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>

static unsigned char message[4096];
static size_t length;

static void put(const void *bytes, size_t size) {
  memcpy(message + length, bytes, size);
  length += size;
}

static void name(const char *text) { put(text, strlen(text) + 1); }

static void request(uint32_t opcode) {
  struct fuse_in_header header = {.opcode = opcode, .unique = 0x1122334455667ull, .nodeid = 0x8899aabbccddull,
                                  .uid = 1001, .gid = 1002, .pid = 1003};
  memset(message, 0, sizeof message);
  length = 0;
  put(&header, sizeof header);
}

static void reply(int32_t error, uint64_t unique) {
  struct fuse_out_header header = {.error = error, .unique = unique};
  memset(message, 0, sizeof message);
  length = 0;
  put(&header, sizeof header);
}

static void print(const char *what) {
  uint32_t size = length;
  memcpy(message, &size, sizeof size);
  printf("%s ", what);
  for (size_t i = 0; i < length; i++) printf("%02x", message[i]);
  printf("\n");
}

#define BODY(type, ...) do { struct type body = {__VA_ARGS__}; put(&body, sizeof body); } while (0)
#define UNIQUE 0x1122334455667ull

static void requests(void) {
  request(FUSE_LOOKUP); name("name"); print("lookup");
  request(FUSE_FORGET); BODY(fuse_forget_in, .nlookup = 7); print("forget");
  request(FUSE_BATCH_FORGET); BODY(fuse_batch_forget_in, .count = 2);
  BODY(fuse_forget_one, .nodeid = 21, .nlookup = 22); BODY(fuse_forget_one, .nodeid = 23, .nlookup = 24); print("batchForget");
  request(FUSE_GETATTR); BODY(fuse_getattr_in, .getattr_flags = FUSE_GETATTR_FH, .fh = 77); print("getattr");
  request(FUSE_SETATTR);
  BODY(fuse_setattr_in, .valid = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME | FATTR_MTIME_NOW |
       FATTR_FH | FATTR_LOCKOWNER | FATTR_CTIME | FATTR_KILL_SUIDGID, .fh = 77, .size = 0x100000001ull, .lock_owner = 0xfedcba9876543210ull,
       .atime = (uint64_t)-5, .mtime = 51, .ctime = 52, .atimensec = 53, .mtimensec = 54, .ctimensec = 55,
       .mode = 0100644, .uid = 56, .gid = 57);
  print("setattr");
  request(FUSE_READLINK); print("readlink");
  request(FUSE_SYMLINK); name("name"); name("target"); print("symlink");
  request(FUSE_MKNOD); BODY(fuse_mknod_in, .mode = 020666, .rdev = 61, .umask = 022); name("name"); print("mknod");
  request(FUSE_MKDIR); BODY(fuse_mkdir_in, .mode = 0777, .umask = 022); name("name"); print("mkdir");
  request(FUSE_UNLINK); name("name"); print("unlink");
  request(FUSE_RMDIR); name("name"); print("rmdir");
  request(FUSE_RENAME); BODY(fuse_rename_in, .newdir = 62); name("name"); name("new"); print("rename");
  request(FUSE_RENAME2); BODY(fuse_rename2_in, .newdir = 62, .flags = 2); name("name"); name("new"); print("rename2");
  request(FUSE_LINK); BODY(fuse_link_in, .oldnodeid = 63); name("name"); print("link");
  request(FUSE_OPEN); BODY(fuse_open_in, .flags = 0102, .open_flags = FUSE_OPEN_KILL_SUIDGID); print("open");
  request(FUSE_READ); BODY(fuse_read_in, .fh = 77, .offset = 0x200000001ull, .size = 4096, .read_flags = FUSE_READ_LOCKOWNER,
                           .lock_owner = 65, .flags = 0102); print("read");
  request(FUSE_WRITE); BODY(fuse_write_in, .fh = 77, .offset = 0x200000001ull, .size = 3, .write_flags = FUSE_WRITE_LOCKOWNER |
                            FUSE_WRITE_KILL_SUIDGID, .lock_owner = 65, .flags = 0102); put("abc", 3); print("write");
  request(FUSE_STATFS); print("statfs");
  request(FUSE_RELEASE); BODY(fuse_release_in, .fh = 77, .flags = 0102, .release_flags = FUSE_RELEASE_FLOCK_UNLOCK, .lock_owner = 65);
  print("release");
  request(FUSE_FSYNC); BODY(fuse_fsync_in, .fh = 77, .fsync_flags = FUSE_FSYNC_FDATASYNC); print("fsync");
  request(FUSE_SETXATTR); BODY(fuse_setxattr_in, .size = 3, .flags = 2, .setxattr_flags = FUSE_SETXATTR_ACL_KILL_SGID); name("user.x");
  put("abc", 3); print("setxattr");
  request(FUSE_SETXATTR); put((uint32_t[]){3, 1}, FUSE_COMPAT_SETXATTR_IN_SIZE); name("user.x"); put("abc", 3); print("setxattrOld");
  request(FUSE_GETXATTR); BODY(fuse_getxattr_in, .size = 100); name("user.x"); print("getxattr");
  request(FUSE_LISTXATTR); BODY(fuse_getxattr_in, .size = 100); print("listxattr");
  request(FUSE_REMOVEXATTR); name("user.x"); print("removexattr");
  request(FUSE_FLUSH); BODY(fuse_flush_in, .fh = 77, .lock_owner = 65); print("flush");
  request(FUSE_INIT); BODY(fuse_init_in, .major = 7, .minor = 38, .max_readahead = 131072, .flags = FUSE_INIT_EXT | FUSE_ASYNC_READ, .flags2 = 8);
  print("init");
  request(FUSE_OPENDIR); BODY(fuse_open_in, .flags = 0200000); print("opendir");
  request(FUSE_READDIR); BODY(fuse_read_in, .fh = 77, .offset = 66, .size = 4096); print("readdir");
  request(FUSE_READDIRPLUS); BODY(fuse_read_in, .fh = 77, .offset = 66, .size = 4096); print("readdirplus");
  request(FUSE_RELEASEDIR); BODY(fuse_release_in, .fh = 77); print("releasedir");
  request(FUSE_FSYNCDIR); BODY(fuse_fsync_in, .fh = 77); print("fsyncdir");
  request(FUSE_GETLK); BODY(fuse_lk_in, .fh = 77, .owner = 0xfedcba9876543210ull,
                            .lk = {.start = 5, .end = 0x7fffffffffffffffull, .type = 1, .pid = 67}); print("getlk");
  request(FUSE_SETLK); BODY(fuse_lk_in, .fh = 77, .owner = 68, .lk = {.start = 5, .end = 6, .type = 0, .pid = 67}, .lk_flags = FUSE_LK_FLOCK);
  print("setlk");
  request(FUSE_SETLKW); BODY(fuse_lk_in, .fh = 77, .owner = 68, .lk = {.start = 5, .end = 6, .type = 2, .pid = 67}); print("setlkw");
  request(FUSE_ACCESS); BODY(fuse_access_in, .mask = 5); print("access");
  request(FUSE_CREATE); BODY(fuse_create_in, .flags = 0102, .mode = 0100666, .umask = 022, .open_flags = FUSE_OPEN_KILL_SUIDGID); name("name");
  print("create");
  request(FUSE_TMPFILE); BODY(fuse_create_in, .flags = 0102, .mode = 0100666, .umask = 022); name("/"); print("tmpfile");
  request(FUSE_INTERRUPT); BODY(fuse_interrupt_in, .unique = 70); print("interrupt");
  request(FUSE_BMAP); BODY(fuse_bmap_in, .block = 71, .blocksize = 512); print("bmap");
  request(FUSE_DESTROY); print("destroy");
  request(FUSE_IOCTL); BODY(fuse_ioctl_in, .fh = 77, .flags = 72, .cmd = 73, .arg = 74, .in_size = 0, .out_size = 8); print("ioctl");
  request(FUSE_POLL); BODY(fuse_poll_in, .fh = 77, .kh = 75, .flags = 1, .events = 76); print("poll");
  request(FUSE_NOTIFY_REPLY); BODY(fuse_notify_retrieve_in, .offset = 78, .size = 3); put("abc", 3); print("notifyReply");
  request(FUSE_FALLOCATE); BODY(fuse_fallocate_in, .fh = 77, .offset = 79, .length = 80, .mode = 3); print("fallocate");
  request(FUSE_LSEEK); BODY(fuse_lseek_in, .fh = 77, .offset = (uint64_t)-81, .whence = 3); print("lseek");
  request(FUSE_COPY_FILE_RANGE); BODY(fuse_copy_file_range_in, .fh_in = 77, .off_in = 82, .nodeid_out = 83, .fh_out = 84, .off_out = 85,
                                      .len = 86, .flags = 87); print("copyFileRange");
  request(FUSE_SYNCFS); BODY(fuse_syncfs_in); print("syncfs");
}

#define ATTRIBUTES {.ino = 11, .size = 0x300000001ull, .blocks = 12, .atime = (uint64_t)-13, .mtime = 14, .ctime = 15, .atimensec = 16, \
  .mtimensec = 17, .ctimensec = 18, .mode = 0100644, .nlink = 19, .uid = 20, .gid = 21, .rdev = 22, .blksize = 4096}
#define ENTRY {.nodeid = 11, .generation = 23, .entry_valid = 2, .attr_valid = 1, .entry_valid_nsec = 500000000, \
  .attr_valid_nsec = 1000000, .attr = ATTRIBUTES}

static void replies(void) {
  reply(0, UNIQUE); print("reply.ok");
  reply(-2, UNIQUE); print("reply.error");
  reply(0, UNIQUE); BODY(fuse_entry_out, .nodeid = 11, .generation = 23, .entry_valid = 2, .attr_valid = 1, .entry_valid_nsec = 500000000,
                         .attr_valid_nsec = 1000000, .attr = ATTRIBUTES); print("reply.entry");
  reply(0, UNIQUE); BODY(fuse_entry_out, .entry_valid = 2, .entry_valid_nsec = 500000000); print("reply.noEntry");
  reply(0, UNIQUE); BODY(fuse_attr_out, .attr_valid = 1, .attr_valid_nsec = 1000000, .attr = ATTRIBUTES); print("reply.attributes");
  reply(0, UNIQUE); BODY(fuse_open_out, .fh = 77, .open_flags = 5); print("reply.opened");
  reply(0, UNIQUE); { struct fuse_entry_out entry = ENTRY; put(&entry, sizeof entry); } BODY(fuse_open_out, .fh = 77, .open_flags = 5);
  print("reply.created");
  reply(0, UNIQUE); put("abcde", 5); print("reply.data");
  reply(0, UNIQUE); BODY(fuse_write_out, .size = 4096); print("reply.written");
  reply(0, UNIQUE); BODY(fuse_getxattr_out, .size = 100); print("reply.xattrSize");
  reply(0, UNIQUE); BODY(fuse_statfs_out, .st = {.blocks = 24, .bfree = 25, .bavail = 26, .files = 27, .ffree = 28, .bsize = 4096,
                         .namelen = 255, .frsize = 4096}); print("reply.filesystem");
  reply(0, UNIQUE); BODY(fuse_lk_out, .lk = {.start = 5, .end = 0x7fffffffffffffffull, .type = 1, .pid = 67}); print("reply.lock");
  reply(0, UNIQUE); BODY(fuse_lseek_out, .offset = 0x400000001ull); print("reply.offset");
  reply(0, UNIQUE); BODY(fuse_init_out, .major = 7, .minor = 38, .max_readahead = 131072, .flags = FUSE_INIT_EXT | FUSE_ASYNC_READ |
                         FUSE_MAX_PAGES, .max_background = 64, .congestion_threshold = 48, .max_write = 1048576, .time_gran = 1,
                         .max_pages = 256, .flags2 = 16); print("reply.init");
  reply(0, UNIQUE); BODY(fuse_dirent, .ino = 31, .off = 32, .namelen = 5, .type = 8); put("short\0\0\0", 8);
  BODY(fuse_dirent, .ino = 33, .off = 34, .namelen = 8, .type = 4); put("aligned8", 8); print("reply.directory");
  reply(0, UNIQUE); { struct fuse_entry_out entry = ENTRY; put(&entry, sizeof entry); }
  BODY(fuse_dirent, .ino = 11, .off = 32, .namelen = 5, .type = 8); put("short\0\0\0", 8); print("reply.directoryPlus");
}

static void notifications(void) {
  reply(FUSE_NOTIFY_INVAL_INODE, 0); BODY(fuse_notify_inval_inode_out, .ino = 41, .off = -1, .len = 42); print("notify.inode");
  reply(FUSE_NOTIFY_INVAL_ENTRY, 0); BODY(fuse_notify_inval_entry_out, .parent = 43, .namelen = 4); name("name"); print("notify.entry");
  reply(FUSE_NOTIFY_STORE, 0); BODY(fuse_notify_store_out, .nodeid = 44, .offset = 0x300000002ull, .size = 3); put("abc", 3); print("notify.store");
}

int main(void) {
  requests();
  replies();
  notifications();
  return 0;
}
