/*
 * A minimal server of statistics, with which ours is compared.
 *
 * In: a listening socket as standard input, and statistics files, which the
 * process inherits. Out: the same reply for every request of one client, whose
 * content is ignored. Each object is read by one pread.
 *
 * minimal NAMES FD PATH [FD PATH ...]
 *     NAMES is ",name,name," or empty for all statistics; PATH is a vCPU's QOM
 *     path or empty for a VM.
 * minimal FILE
 *     Every reply is the content of FILE.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An entry of a reply: `{"name": "NAME", "value": VALUE}`. */
struct stat_entry {
    char before[256];
    size_t before_len;
    size_t first; /* index of its first value */
    size_t count;
    int is_flag;
};

struct object {
    char head[256];
    int fd;
};

/* The most characters of a value with what separates it from the next one. */
#define VALUE_LEN_MAX 32
#define REQUEST_LEN_MAX (64 << 10)

static struct kvm_stats_header header;
static struct stat_entry *entries;
static size_t entry_count;
static __u64 *values;
static size_t value_count;
static char *reply;

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        err(1, "calloc");
    return memory;
}

static void read_at(int fd, void *buffer, size_t len, off_t offset)
{
    if (pread(fd, buffer, len, offset) != (ssize_t)len)
        err(1, "pread");
}

/* Reads the descriptors; QEMU lists statistics in reverse order of them. */
static void prepare(int fd, const char *names)
{
    read_at(fd, &header, sizeof(header), 0);
    size_t size = sizeof(struct kvm_stats_desc) + header.name_size;
    struct kvm_stats_desc *desc = allocate(1, size);
    entries = allocate(header.num_desc, sizeof(*entries));
    for (size_t i = header.num_desc; i-- > 0;) {
        read_at(fd, desc, size, header.desc_offset + i * size);
        size_t first = desc->offset / sizeof(__u64), end = first + desc->size;
        char wanted[256];
        snprintf(wanted, sizeof(wanted), ",%s,", desc->name);
        value_count = end > value_count ? end : value_count;
        if (*names && !strstr(names, wanted))
            continue;
        struct stat_entry *entry = &entries[entry_count++];
        entry->before_len = snprintf(entry->before, sizeof(entry->before),
                                     "{\"name\": \"%s\", \"value\": ", desc->name);
        entry->first = first;
        entry->count = desc->size;
        entry->is_flag = (desc->flags & KVM_STATS_UNIT_MASK) == KVM_STATS_UNIT_BOOLEAN;
    }
    values = allocate(value_count, sizeof(*values));
    free(desc);
}

static char *put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

static char *put_text(char *out, const char *text)
{
    return put(out, text, strlen(text));
}

static char *put_number(char *out, __u64 value)
{
    char digits[20], *begin = digits + sizeof(digits);
    do
        *--begin = '0' + value % 10;
    while (value /= 10);
    return put(out, begin, digits + sizeof(digits) - begin);
}

/* A histogram's last bucket comes first. */
static char *put_values(char *out, const struct stat_entry *entry)
{
    const __u64 *first = values + entry->first;
    if (entry->is_flag)
        return put_text(out, *first ? "true" : "false");
    if (entry->count == 1)
        return put_number(out, *first);
    *out++ = '[';
    for (size_t i = entry->count; i-- > 0;) {
        out = put_number(out, first[i]);
        out = put_text(out, i ? ", " : "]");
    }
    return out;
}

static char *put_object(char *out, const struct object *object)
{
    read_at(object->fd, values, value_count * sizeof(*values), header.data_offset);
    out = put_text(out, object->head);
    for (size_t i = 0; i < entry_count; i++) {
        out = put(out, entries[i].before, entries[i].before_len);
        out = put_values(out, &entries[i]);
        out = put_text(out, i + 1 < entry_count ? "}, " : "}");
    }
    return put_text(out, "]}");
}

/* Writes the reply and returns its length; the last object comes first. */
static size_t put_reply(const struct object *objects, size_t count)
{
    char *out = put_text(reply, "{\"return\": [");
    for (size_t i = count; i-- > 0;) {
        out = put_object(out, &objects[i]);
        out = put_text(out, i ? ", " : "");
    }
    return put_text(out, "]}\r\n") - reply;
}

static size_t read_reply(const char *path)
{
    int fd = open(path, O_RDONLY);
    off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (len < 0)
        err(1, "%s", path);
    reply = allocate(len, 1);
    read_at(fd, reply, len, 0);
    return len;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        errx(1, "no arguments");
    size_t count = argc / 2 - 1, len = 0;
    struct object *objects = allocate(count + 1, sizeof(*objects));
    for (size_t i = 0; i < count; i++) {
        const char *path = argv[3 + 2 * i];
        objects[i].fd = atoi(argv[2 + 2 * i]);
        snprintf(objects[i].head, sizeof(objects[i].head), "{\"provider\": \"kvm\", %s%s%s\"stats\": [",
                 *path ? "\"qom-path\": \"" : "", path, *path ? "\", " : "");
    }
    if (count) {
        prepare(objects[0].fd, argv[1]);
        size_t object_len = sizeof(objects->head) + value_count * VALUE_LEN_MAX +
                            entry_count * sizeof(entries->before);
        reply = allocate(count + 1, object_len);
    } else {
        len = read_reply(argv[1]);
    }
    int client = accept(STDIN_FILENO, NULL, NULL);
    if (client < 0)
        err(1, "accept");
    static char request[REQUEST_LEN_MAX];
    while (read(client, request, sizeof(request)) > 0) {
        if (count)
            len = put_reply(objects, count);
        for (size_t sent = 0; sent < len;) {
            ssize_t written = write(client, reply + sent, len - sent);
            if (written < 0)
                err(1, "write");
            sent += written;
        }
    }
    return 0;
}
