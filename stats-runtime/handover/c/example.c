/*
 * Makes a VM with vCPUs, gives their statistics to a receiver, and waits for a line
 * on standard input: ./example /run/vmstats/host/handover.sock
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "stats_handover.h"

#define VCPUS 2

/* hand-over: begin */
static stats_handover *hand_over(const char *path, int vm, const int *vcpus)
{
    stats_handover *handover = stats_handover_new("example");
    int error = stats_handover_set_vm(handover, vm);
    for (uint32_t i = 0; i < VCPUS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "/machine/cpu[%u]", i);
        error |= stats_handover_add_vcpu(handover, i, name, vcpus[i]);
    }
    error |= stats_handover_give(handover, stats_handover_connect(path));
    if (error)
        fprintf(stderr, "%s\n", stats_handover_error());
    return handover;
}
/* hand-over: end */

int main(int argc, char **argv)
{
    int vcpus[VCPUS];
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);

    if (argc != 2 || vm < 0) {
        fprintf(stderr, "usage: example SOCKET, on a machine with /dev/kvm\n");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < VCPUS; i++) {
        vcpus[i] = ioctl(vm, KVM_CREATE_VCPU, i);
        if (vcpus[i] < 0) {
            perror("KVM_CREATE_VCPU");
            return EXIT_FAILURE;
        }
    }
    stats_handover *handover = hand_over(argv[1], vm, vcpus);
    if (stats_handover_connection(handover) < 0)
        return EXIT_FAILURE;

    /* Here the VM would run. */
    getchar();
    stats_handover_remove_vcpu(handover, 1);
    getchar();
    stats_handover_free(handover);
    return EXIT_SUCCESS;
}
