/*
 * Gives the statistics files of a virtual machine to another process, such as
 * `vmstats host`, which serves them. docs/handover.md describes the protocol.
 *
 * Functions that return an int return 0, or a descriptor where they say so, or a
 * negative number of errno.h; stats_handover_error() then returns the reason as text.
 * -EINVAL is a wrong argument, -ENOENT an object that was not added, -EEXIST a path
 * that another vCPU has, and -EOPNOTSUPP a kernel before Linux 6.5.
 *
 * A text is a string in UTF-8. A handle must not be used by two threads at once.
 * Nothing waits for the receiver.
 *
 * SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause.
 */
#ifndef STATS_HANDOVER_H
#define STATS_HANDOVER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The statistics files of one VM. */
typedef struct stats_handover stats_handover;

/*
 * Makes a hand-over of the VM of that name (1 to 255 bytes, no control characters).
 * Returns NULL on an error. The other functions return -EINVAL for that NULL, and
 * leave the reason as it is.
 */
stats_handover *stats_handover_new(const char *name);

/* Ends the hand-over: the receiver forgets the VM, and the files are closed. */
void stats_handover_free(stats_handover *handover);

/* Sets the UUID, of 36 characters, which the next stats_handover_give sends. */
int stats_handover_set_uuid(stats_handover *handover, const char *uuid);

/* Opens the statistics of KVM's VM, and adds their file. The fd stays the caller's. */
int stats_handover_set_vm(stats_handover *handover, int vm_fd);

/*
 * Opens the statistics of KVM's vCPU, and adds their file: before the vCPU first
 * runs, because the ioctl waits for a running one. The index (0 to 4095) is the VMM's,
 * and the path is that of the vCPU's object. An index that has a file gets the new one.
 * The fd stays the caller's.
 */
int stats_handover_add_vcpu(stats_handover *handover, uint32_t index, const char *path,
                            int vcpu_fd);

/*
 * Adds a statistics file that the caller opened with KVM_GET_STATS_FD (0xaece), for
 * jails without /proc. The library takes the file and closes it, also if the call fails.
 */
int stats_handover_set_vm_file(stats_handover *handover, int stats_fd);
int stats_handover_add_vcpu_file(stats_handover *handover, uint32_t index,
                                 const char *path, int stats_fd);

/*
 * Adds the statistics of another object: a memfd in the kernel's format of statistics
 * with F_SEAL_SHRINK and F_SEAL_GROW. The library takes the file and closes it, also
 * if the call fails.
 */
int stats_handover_add_object(stats_handover *handover, const char *provider,
                              const char *path, int memfd);

/*
 * Adds a pidfd of the VM's process, if that is not the caller. The library takes the
 * pidfd and closes it, also if the call fails.
 */
int stats_handover_set_process(stats_handover *handover, int pidfd);

/* Removes a file and closes it. */
int stats_handover_remove_vm(stats_handover *handover);
int stats_handover_remove_vcpu(stats_handover *handover, uint32_t index);
int stats_handover_remove_object(stats_handover *handover, const char *provider,
                                 const char *path);

/* Allocates room for as many files more, so that adding them allocates nothing. */
int stats_handover_reserve(stats_handover *handover, uint32_t files);

/*
 * Returns a socket that is connected to the receiver at a path. stats_handover_give
 * takes it.
 */
int stats_handover_connect(const char *path);

/*
 * Gives all files on a connected socket of type SOCK_SEQPACKET. The library takes the
 * socket and closes it, also if the call fails. If the socket is negative (an error of
 * stats_handover_connect), the call returns it and keeps the earlier reason. Afterwards
 * every change above is sent at once, by one sendmsg, and needs no other system call but
 * close.
 *
 * If sending fails, the connection is closed and the state is kept: give again on
 * another connection.
 */
int stats_handover_give(stats_handover *handover, int socket);

/*
 * Returns the connection, or -ENOTCONN. It stays the library's. It is readable when
 * the receiver has ended: then connect and give again.
 */
int stats_handover_connection(const stats_handover *handover);

/* Closes the connection. The files stay open, to be given again. */
int stats_handover_end(stats_handover *handover);

/*
 * Returns the reason of the calling thread's last error: a string that is valid until
 * the thread's next call of a function above.
 */
const char *stats_handover_error(void);

#ifdef __cplusplus
}
#endif

#endif
