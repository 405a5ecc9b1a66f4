/* The heap, and what grows on it: arena and buffer, with memory that fails. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "support.h"

#define MAX_BLOCKS 64

/* A host that remembers what it gave, to hold each release against it. */
struct ledger {
    struct {
        void *memory;
        size_t size;
    } blocks[MAX_BLOCKS];
    int n_wrong, n_misaligned;
};

static void *ledger_alloc(void *user, size_t size, size_t align)
{
    struct ledger *ledger = user;
    void *memory = NULL;
    if (posix_memalign(&memory, align, size) != 0)
        return NULL;
    ledger->n_misaligned += align < 16 || (align & (align - 1)) != 0;
    for (int i = 0; i < MAX_BLOCKS; i++) {
        if (!ledger->blocks[i].memory) {
            ledger->blocks[i].memory = memory;
            ledger->blocks[i].size = size;
            return memory;
        }
    }
    free(memory);
    return NULL;
}

static void ledger_release(void *user, void *memory, size_t size)
{
    struct ledger *ledger = user;
    for (int i = 0; i < MAX_BLOCKS; i++) {
        if (ledger->blocks[i].memory == memory && ledger->blocks[i].size == size) {
            ledger->blocks[i].memory = NULL;
            free(memory);
            return;
        }
    }
    ledger->n_wrong++;
}

static void host_gets_back_what_it_gave(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    struct lli_heap heap;
    lli_heap_init(&heap, ledger_alloc, ledger_release, &ledger);
    uint64_t seed = 1;
    void *held[32] = {0};
    for (int round = 0; round < 2000; round++) {
        size_t i = support_random(&seed) % 32, align = (size_t)16 << support_random(&seed) % 8;
        lli_free(&heap, held[i]);
        size_t bytes = support_random(&seed) % 300;
        held[i] = lli_alloc_aligned(&heap, bytes, align);
        assert_non_null(held[i]);
        assert_int_equal((uintptr_t)held[i] % align, 0);
        memset(held[i], 0xEE, bytes);
    }
    for (int i = 0; i < 32; i++)
        lli_free(&heap, held[i]);
    assert_int_equal(ledger.n_wrong, 0);
    assert_int_equal(ledger.n_misaligned, 0);
    assert_true(heap.live_bytes == 0);
    for (int i = 0; i < MAX_BLOCKS; i++)
        assert_null(ledger.blocks[i].memory);
}

static void default_heap(void **state)
{
    (void)state;
    struct lli_heap heap;
    lli_heap_init(&heap, NULL, NULL, NULL);
    for (size_t align = 16; align <= 2u << 20; align *= 2) {
        uint8_t *memory = lli_alloc_aligned(&heap, 100, align);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % align, 0);
        memset(memory, 1, 100);
        assert_true(heap.live_bytes == 100);
        lli_free(&heap, memory);
        assert_true(heap.live_bytes == 0);
    }
    static const size_t bad[] = {0, 1, 8, 24, 4u << 20};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(lli_alloc_aligned(&heap, 100, bad[i]));

    void *empty = lli_alloc(&heap, 0);
    assert_non_null(empty);
    lli_free(&heap, empty);
    lli_free(&heap, NULL);

    uint8_t *zeroed = lli_alloc_zero(&heap, 50, 3);
    for (int i = 0; i < 150; i++)
        assert_int_equal(zeroed[i], 0);
    lli_free(&heap, zeroed);
    assert_true(heap.live_bytes == 0);
}

static void sizes_that_do_not_fit(void **state)
{
    (void)state;
    struct lli_heap heap;
    struct support_heap host = {0};
    lli_heap_init(&heap, support_alloc, support_release, &host);
    assert_null(lli_alloc(&heap, SIZE_MAX));
    assert_null(lli_alloc(&heap, SIZE_MAX - 16));
    assert_null(lli_alloc(&heap, PTRDIFF_MAX));
    assert_null(lli_alloc_array(&heap, SIZE_MAX / 2, 3));
    assert_null(lli_alloc_zero(&heap, (size_t)1 << (sizeof(size_t) * 4), (size_t)1 << (sizeof(size_t) * 4)));
    assert_true(host.n_calls == 0); /* none of it reached the host */
    assert_true(heap.live_bytes == 0);
}

static void realloc_keeps_the_bytes(void **state)
{
    (void)state;
    struct support_heap host = {0};
    struct lli_heap heap;
    lli_heap_init(&heap, support_alloc, support_release, &host);
    uint8_t *memory = lli_realloc(&heap, NULL, 10);
    assert_non_null(memory);
    memcpy(memory, "0123456789", 10);
    memory = lli_realloc(&heap, memory, 1000);
    assert_memory_equal(memory, "0123456789", 10);
    assert_true(heap.live_bytes == 1000);
    memory = lli_realloc(&heap, memory, 4);
    assert_memory_equal(memory, "0123", 4);
    assert_true(heap.live_bytes == 4);

    support_heap_arm(&host, 1, 0);
    assert_null(lli_realloc(&heap, memory, 100));
    assert_memory_equal(memory, "0123", 4);
    assert_true(heap.live_bytes == 4);
    lli_free(&heap, memory);
    assert_true(host.live_bytes == 0);
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct support_heap host = {0};
    struct lli_heap heap;
    lli_heap_init(&heap, support_alloc, support_release, &host);
    struct lli_arena arena;
    lli_arena_init(&arena, &heap, 1024);
    struct {
        uint8_t *memory;
        size_t n;
    } taken[500];
    uint64_t seed = 5;
    for (int i = 0; i < 500; i++) {
        taken[i].n = support_random(&seed) % (i % 50 == 0 ? 5000 : 100);
        taken[i].memory = lli_arena_take(&arena, taken[i].n, 1);
        assert_non_null(taken[i].memory);
        assert_int_equal((uintptr_t)taken[i].memory % 16, 0);
        for (size_t j = 0; j < taken[i].n; j++)
            assert_int_equal(taken[i].memory[j], 0);
        memset(taken[i].memory, i & 0xFF, taken[i].n);
    }
    for (int i = 0; i < 500; i++) { /* none overlaps another */
        for (size_t j = 0; j < taken[i].n; j++)
            assert_int_equal(taken[i].memory[j], i & 0xFF);
    }
    assert_in_range(host.n_calls, 10, 60); /* chunks, not blocks */
    const char *text = lli_arena_text(&arena, "hello world", 5);
    assert_string_equal(text, "hello");
    assert_string_equal(lli_arena_text(&arena, NULL, 0), "");
    assert_null(lli_arena_take(&arena, SIZE_MAX, 2));
    assert_null(lli_arena_take(&arena, SIZE_MAX - 5, 1));
    assert_null(lli_arena_text(&arena, "", SIZE_MAX));
    lli_arena_finish(&arena);
    lli_arena_finish(&arena);
    assert_true(host.live_bytes == 0);
}

static void arena_without_memory(void **state)
{
    (void)state;
    struct support_heap host = {0};
    struct lli_heap heap;
    lli_heap_init(&heap, support_alloc, support_release, &host);
    struct lli_arena arena = {0};
    lli_arena_finish(&arena);
    lli_arena_init(&arena, &heap, 64);
    support_heap_arm(&host, 1, 0);
    assert_null(lli_arena_take(&arena, 1, 8));
    assert_non_null(lli_arena_take(&arena, 1, 8));
    support_heap_arm(&host, 1, 1);
    assert_non_null(lli_arena_take(&arena, 1, 40)); /* still room in the chunk */
    assert_null(lli_arena_take(&arena, 1, 40));
    assert_null(lli_arena_text(&arena, "0123456789012345", 16));
    lli_arena_finish(&arena);
    assert_true(host.live_bytes == 0);
}

static void buffer_grows(void **state)
{
    (void)state;
    struct support_heap host = {0};
    struct lli_heap heap;
    lli_heap_init(&heap, support_alloc, support_release, &host);
    struct lli_buffer buffer;
    lli_buffer_init(&buffer, &heap);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        assert_int_equal(lli_buffer_append(&buffer, &byte, 1), 0);
    }
    assert_int_equal(buffer.len, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buffer.bytes[i], (uint8_t)(i * 7));
    assert_in_range(host.n_calls, 1, 20); /* by doubling */
    assert_int_equal(lli_buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(lli_buffer_reserve(&buffer, SIZE_MAX), -1);

    int64_t calls = host.n_calls;
    assert_int_equal(lli_buffer_reserve(&buffer, 1 << 20), 0);
    assert_true(host.n_calls == calls + 1);
    static const uint8_t zeros[1 << 20];
    assert_int_equal(lli_buffer_append(&buffer, zeros, sizeof zeros), 0);
    assert_true(host.n_calls == calls + 1);
    lli_buffer_finish(&buffer);
    lli_buffer_finish(&buffer);
    assert_true(host.live_bytes == 0);
}

static void buffer_without_memory(void **state)
{
    (void)state;
    struct support_heap host = {0};
    struct lli_heap heap;
    lli_heap_init(&heap, support_alloc, support_release, &host);
    struct lli_buffer buffer = {0};
    lli_buffer_finish(&buffer);
    lli_buffer_init(&buffer, &heap);
    assert_int_equal(lli_buffer_append(&buffer, "kept", 4), 0);
    size_t cap = buffer.cap;
    support_heap_arm(&host, 1, 0);
    assert_int_equal(lli_buffer_reserve(&buffer, 1000), -1);
    assert_int_equal(buffer.len, 4);
    assert_int_equal(buffer.cap, cap);
    assert_memory_equal(buffer.bytes, "kept", 4);
    assert_int_equal(lli_buffer_reserve(&buffer, 1000), 0);
    lli_buffer_finish(&buffer);
    assert_true(host.live_bytes == 0);
}

static int n_advices;

int __real_madvise(void *at, size_t n, int advice);
int __wrap_madvise(void *at, size_t n, int advice);

int __wrap_madvise(void *at, size_t n, int advice)
{
    if (advice == MADV_DONTNEED)
        return __real_madvise(at, n, advice);
    n_advices++;
    assert_int_equal((uintptr_t)at % ((size_t)2 << 20), 0);
    assert_int_equal(n, (size_t)4 << 20);
    assert_int_equal(advice, MADV_HUGEPAGE);
    errno = EINVAL; /* of no consequence */
    return -1;
}

static void huge_pages_are_a_wish(void **state)
{
    (void)state;
    const size_t page = (size_t)2 << 20;
    struct support_heap host = {0};
    struct lli_heap heap, hosts;
    lli_heap_init(&heap, NULL, NULL, NULL);
    lli_heap_init(&hosts, support_alloc, support_release, &host);
    uint8_t *memory = lli_alloc_aligned(&heap, 2 * page + 100, page), *theirs = lli_alloc_aligned(&hosts, 2 * page, page);
    assert_true(memory && theirs);
    lli_alloc_prefer_huge(&hosts, theirs, 2 * page);
    lli_alloc_prefer_huge(&heap, memory, page - 1);
    lli_alloc_prefer_huge(&heap, memory + 1, 2 * page - 2);
    assert_int_equal(n_advices, 0);
    lli_alloc_prefer_huge(&heap, memory, 2 * page + 100);
    assert_int_equal(n_advices, 1);
    lli_free(&heap, memory);
    lli_free(&hosts, theirs);
    assert_true(heap.live_bytes == 0 && host.live_bytes == 0);
}

/* Whole pages, of the library's own heap. */
static void pages_are_forgotten(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct support_heap host = {0};
    struct lli_heap heaps[2];
    lli_heap_init(&heaps[0], NULL, NULL, NULL);
    lli_heap_init(&heaps[1], support_alloc, support_release, &host);
    for (int i = 0; i < 2; i++) {
        uint8_t *memory = lli_alloc(&heaps[i], 5 * page), *first;
        size_t n_zero = 0;
        assert_non_null(memory);
        memset(memory, 1, 5 * page);
        first = (uint8_t *)(((uintptr_t)memory + page - 1) & ~(uintptr_t)(page - 1));
        lli_alloc_forget(&heaps[i], first + 1, page - 1);
        lli_alloc_forget(&heaps[i], first + 1, 2 * page - 2);
        lli_alloc_forget(&heaps[i], first + page, 0);
        for (size_t k = 0; k < 5 * page; k++)
            n_zero += memory[k] == 0;
        assert_int_equal(n_zero, 0);
        lli_alloc_forget(&heaps[i], first + 1, 3 * page - 1);
        for (size_t k = 0; k < 5 * page; k++)
            n_zero += memory[k] == 0;
        assert_int_equal(n_zero, i == 0 ? 2 * page : 0);
        assert_int_equal(first[page], i);
        lli_free(&heaps[i], memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_gets_back_what_it_gave),
        cmocka_unit_test(default_heap),
        cmocka_unit_test(sizes_that_do_not_fit),
        cmocka_unit_test(realloc_keeps_the_bytes),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_without_memory),
        cmocka_unit_test(buffer_grows),
        cmocka_unit_test(buffer_without_memory),
        cmocka_unit_test(huge_pages_are_a_wish),
        cmocka_unit_test(pages_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
