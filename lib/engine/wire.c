/* engine/wire.c - see wire.h. */
#include "engine/wire.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/reader.h"
#include "engine/engine.h"
#include "forward/forward.h"
#include "llminf/status.h"

#define MAGIC 0x52494c4cu /* "LLIR" */
#define NAME "message"
#define MAX_WAIT_NS 100000000000000000ll

enum { VERSION = 1, ORDER = 0x0102, PLAN_FIXED = 8 + 5 * 4, SEQ = 8, ROW = 8, COPY = 12 };
enum { MAX_STEP_ROWS = 1 << 17, KNOWN_FLAGS = LLI_ROW_LOGITS | LLI_ROW_NO_STORE };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A pen over memory that was reserved. */
static void put_u32(uint8_t **at, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    memcpy(*at, bytes, sizeof bytes);
    *at += sizeof bytes;
}

static void put_u64(uint8_t **at, uint64_t value)
{
    put_u32(at, (uint32_t)value);
    put_u32(at, (uint32_t)(value >> 32));
}

/* Room for a message with so many bytes behind its head, and for a frame; the pen stands behind the head. NULL: no memory. */
static uint8_t *begin(struct lli_buffer *out, size_t body)
{
    size_t all = LLI_WIRE_HEAD + body;
    out->len = 0;
    if (body > UINT32_MAX - LLI_WIRE_HEAD || lli_buffer_reserve(out, all > LLI_WIRE_FRAME ? all : LLI_WIRE_FRAME))
        return NULL;
    out->len = all;
    return out->bytes + LLI_WIRE_HEAD;
}

/* The body is there: the head before it, zeros behind. */
static int32_t finish(struct lli_buffer *out, enum lli_wire_kind kind, uint64_t number)
{
    uint8_t *at = out->bytes;
    put_u32(&at, MAGIC);
    put_u32(&at, VERSION | (uint32_t)kind << 16);
    put_u64(&at, number);
    put_u32(&at, (uint32_t)out->len);
    put_u32(&at, 0);
    put_u64(&at, lli_hash(out->bytes + LLI_WIRE_HEAD, out->len - LLI_WIRE_HEAD, 0));
    if (out->len < LLI_WIRE_FRAME)
        memset(out->bytes + out->len, 0, LLI_WIRE_FRAME - out->len);
    return LLMINF_OK;
}

int32_t lli_wire_put_hello(struct lli_buffer *out, const struct lli_wire_hello *h)
{
    const struct lli_wire_room *room = &h->room;
    uint16_t order = ORDER;
    uint8_t *at = begin(out, 4 + 2 * 4 + 8 + 2 * 4 + (LLI_MAX_PP + 1) * 4 + 4 + 7 * 4 + 8);
    if (!at)
        return LLMINF_E_MEMORY;
    memset(at, 0, 4);
    memcpy(at, &order, sizeof order); /* as this machine has it */
    at += 4;
    put_u32(&at, LLI_NUMERICS);
    put_u32(&at, LLI_BLOCK_TOKENS);
    put_u64(&at, h->fingerprint);
    put_u32(&at, h->division.tp);
    put_u32(&at, h->division.pp);
    for (size_t i = 0; i <= LLI_MAX_PP; i++)
        put_u32(&at, h->division.cuts[i]);
    put_u32(&at, h->kv_type);
    put_u32(&at, room->n_blocks);
    put_u32(&at, room->max_rows);
    put_u32(&at, room->max_seqs);
    put_u32(&at, room->max_logits);
    put_u32(&at, room->max_pos);
    put_u32(&at, room->n_groups);
    put_u32(&at, room->n_vocab);
    put_u64(&at, (uint64_t)h->timeout_ns);
    return finish(out, LLI_WIRE_HELLO, 0);
}

/* Blocks of a sequence's table up to its last row. */
static uint32_t table_entries(const struct lli_plan *plan, const struct lli_seq *seq)
{
    return lli_table_blocks(plan->rows[seq->first_row].pos + seq->n_rows);
}

int32_t lli_wire_put_plan(struct lli_buffer *out, const struct lli_plan *plan, uint32_t n_groups, uint64_t number,
                          int64_t timeout_ns)
{
    size_t body = PLAN_FIXED + (size_t)plan->n_seqs * SEQ + (size_t)plan->n_rows * ROW + (size_t)plan->n_copies * COPY;
    for (uint32_t i = 0; i < plan->n_seqs; i++)
        body += (size_t)4 * n_groups * table_entries(plan, &plan->seqs[i]);
    uint8_t *at = begin(out, body);
    if (!at)
        return LLMINF_E_MEMORY;
    put_u64(&at, (uint64_t)timeout_ns);
    put_u32(&at, plan->n_seqs);
    put_u32(&at, plan->n_rows);
    put_u32(&at, plan->n_copies);
    put_u32(&at, plan->n_logits);
    put_u32(&at, n_groups);
    for (uint32_t i = 0; i < plan->n_seqs; i++) {
        put_u32(&at, plan->rows[plan->seqs[i].first_row].pos);
        put_u32(&at, plan->seqs[i].n_rows);
    }
    for (uint32_t i = 0; i < plan->n_rows; i++) {
        put_u32(&at, (uint32_t)plan->rows[i].token);
        put_u32(&at, plan->rows[i].flags & KNOWN_FLAGS); /* hidden states are pooled by rank 0 */
    }
    for (uint32_t i = 0; i < plan->n_copies; i++) {
        put_u32(&at, plan->copies[i].dst);
        put_u32(&at, plan->copies[i].src);
        put_u32(&at, plan->copies[i].n_tokens);
    }
    for (uint32_t i = 0; i < plan->n_seqs; i++)
        for (uint32_t g = 0; g < n_groups; g++)
            for (uint32_t b = 0, n = table_entries(plan, &plan->seqs[i]); b < n; b++)
                put_u32(&at, plan->seqs[i].blocks[g][b]);
    return finish(out, LLI_WIRE_PLAN, number);
}

int32_t lli_wire_put_empty(struct lli_buffer *out, enum lli_wire_kind kind)
{
    return begin(out, 0) ? finish(out, kind, 0) : LLMINF_E_MEMORY;
}

int32_t lli_wire_put_result(struct lli_buffer *out, const struct lli_plan *plan, uint64_t number)
{
    uint8_t *at = begin(out, (size_t)plan->n_seqs * 4);
    if (!at)
        return LLMINF_E_MEMORY;
    for (uint32_t i = 0; i < plan->n_seqs; i++)
        put_u32(&at, (uint32_t)plan->seqs[i].status);
    return finish(out, LLI_WIRE_RESULT, number);
}

/* ---- heads ------------------------------------------------------------------------------------------------------- */

static int32_t refuse(struct llminf_error *err, const char *what, uint64_t is, uint64_t want)
{
    return lli_fail(err, LLMINF_E_COMM, what, "is %llu, want %llu", (unsigned long long)is, (unsigned long long)want);
}

int32_t lli_wire_read_head(struct lli_wire_head *out, const uint8_t *bytes, size_t n, struct llminf_error *err)
{
    struct lli_reader r;
    lli_reader_init(&r, bytes, n);
    uint32_t magic = lli_reader_u32(&r), version = lli_reader_u16(&r);
    out->kind = lli_reader_u16(&r);
    out->number = lli_reader_u64(&r);
    out->bytes = lli_reader_u32(&r);
    uint32_t zero = lli_reader_u32(&r);
    out->hash = lli_reader_u64(&r);
    if (r.failed || magic != MAGIC || zero != 0)
        return lli_fail(err, LLMINF_E_COMM, NAME, "begins with %x, which is none of this library's", magic);
    if (version != VERSION)
        return refuse(err, "protocol", version, VERSION);
    if (out->kind < LLI_WIRE_HELLO || out->kind > LLI_WIRE_RESULT)
        return lli_fail(err, LLMINF_E_COMM, NAME, "is of kind %u, which is not known", out->kind);
    if (out->bytes < LLI_WIRE_HEAD)
        return refuse(err, "bytes", out->bytes, LLI_WIRE_HEAD);
    return LLMINF_OK;
}

int32_t lli_wire_check_body(const struct lli_wire_head *head, const uint8_t *bytes, struct llminf_error *err)
{
    if (lli_hash(bytes + LLI_WIRE_HEAD, head->bytes - LLI_WIRE_HEAD, 0) == head->hash)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_COMM, NAME, "of %u bytes is damaged: its checksum is another", head->bytes);
}

/* ---- hello ------------------------------------------------------------------------------------------------------- */

static int32_t read_kin(struct lli_reader *r, struct llminf_error *err)
{
    const uint8_t *mark = lli_reader_bytes(r, 4);
    uint16_t order = 0;
    if (mark)
        memcpy(&order, mark, sizeof order);
    uint32_t numerics = lli_reader_u32(r), block = lli_reader_u32(r);
    if (order != ORDER)
        return refuse(err, "byte order", order, ORDER);
    if (numerics != LLI_NUMERICS)
        return refuse(err, "numerics", numerics, LLI_NUMERICS);
    return block == LLI_BLOCK_TOKENS ? LLMINF_OK : refuse(err, "block", block, LLI_BLOCK_TOKENS);
}

int32_t lli_wire_read_hello(struct lli_wire_hello *out, const uint8_t *bytes, struct llminf_error *err)
{
    struct lli_wire_head head;
    struct lli_reader r;
    int32_t status = lli_wire_read_head(&head, bytes, LLI_WIRE_FRAME, err);
    if (status == LLMINF_OK && (head.kind != LLI_WIRE_HELLO || head.bytes > LLI_WIRE_FRAME))
        status = refuse(err, "kind", head.kind, LLI_WIRE_HELLO);
    if (status == LLMINF_OK)
        status = lli_wire_check_body(&head, bytes, err);
    if (status != LLMINF_OK)
        return status;
    lli_reader_init(&r, bytes + LLI_WIRE_HEAD, head.bytes - LLI_WIRE_HEAD);
    status = read_kin(&r, err);
    if (status != LLMINF_OK)
        return status;
    out->fingerprint = lli_reader_u64(&r);
    out->division.tp = lli_reader_u32(&r);
    out->division.pp = lli_reader_u32(&r);
    for (size_t i = 0; i <= LLI_MAX_PP; i++)
        out->division.cuts[i] = lli_reader_u32(&r);
    out->kv_type = lli_reader_u32(&r);
    out->room.n_blocks = lli_reader_u32(&r);
    out->room.max_rows = lli_reader_u32(&r);
    out->room.max_seqs = lli_reader_u32(&r);
    out->room.max_logits = lli_reader_u32(&r);
    out->room.max_pos = lli_reader_u32(&r);
    out->room.n_groups = lli_reader_u32(&r);
    out->room.n_vocab = lli_reader_u32(&r);
    out->timeout_ns = (int64_t)lli_reader_u64(&r);
    return r.failed || lli_reader_left(&r) > 0 ? refuse(err, "bytes", head.bytes, head.bytes - lli_reader_left(&r)) : LLMINF_OK;
}

static int32_t check_range(const char *what, uint64_t is, uint64_t least, uint64_t most, struct llminf_error *err)
{
    if (is >= least && is <= most)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_COMM, what, "is %llu, want %llu to %llu", (unsigned long long)is, (unsigned long long)least,
                    (unsigned long long)most);
}

static int32_t check_model(const struct lli_wire_hello *h, const struct lli_config *config, uint64_t fingerprint,
                           struct llminf_error *err)
{
    if (h->fingerprint != fingerprint)
        return lli_fail(err, LLMINF_E_COMM, "model", "is %016llx here, rank 0 has %016llx", (unsigned long long)fingerprint,
                        (unsigned long long)h->fingerprint);
    return h->room.n_vocab == config->n_vocab ? LLMINF_OK : refuse(err, "vocabulary", h->room.n_vocab, config->n_vocab);
}

int32_t lli_wire_check_hello(const struct lli_wire_hello *h, const struct lli_config *config, uint64_t fingerprint,
                             uint32_t n_ranks, struct llminf_error *err)
{
    const struct {
        const char *what;
        uint64_t is, least, most;
    } ranges[] = {
        {"tensor_parallel", h->division.tp, 1, LLI_MAX_TP},
        {"pipeline_parallel", h->division.pp, 1, LLI_MAX_PP},
        {"ranks", (uint64_t)h->division.tp * h->division.pp, n_ranks, n_ranks},
        {"kv_type", h->kv_type, LLI_KV_F16, LLI_KV_Q8_0},
        {"n_blocks", h->room.n_blocks, 2, UINT32_MAX - 1},
        {"max_rows", h->room.max_rows, 1, MAX_STEP_ROWS},
        {"max_seqs", h->room.max_seqs, 1, UINT16_MAX},
        {"max_logits", h->room.max_logits, 1, MAX_STEP_ROWS},
        {"max_pos", h->room.max_pos, 1, LLI_MAX_CONTEXT},
        {"n_groups", h->room.n_groups, 1, LLI_GROUPS_MAX},
        {"comm_timeout_ns", (uint64_t)h->timeout_ns, 1, MAX_WAIT_NS},
    };
    struct llminf_error why;
    int32_t status = check_model(h, config, fingerprint, err);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && status == LLMINF_OK; i++)
        status = check_range(ranges[i].what, ranges[i].is, ranges[i].least, ranges[i].most, err);
    if (status == LLMINF_OK && lli_division_check(&h->division, config, &why) != LLMINF_OK)
        status = lli_fail(err, LLMINF_E_COMM, NULL, "%s", why.text);
    return status;
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

uint64_t lli_wire_plan_most(const struct lli_wire_room *room)
{
    uint64_t tables = (uint64_t)4 * room->max_seqs * room->n_groups * lli_table_blocks(room->max_pos);
    return LLI_WIRE_HEAD + PLAN_FIXED + (uint64_t)room->max_seqs * (SEQ + COPY * LLI_GROUPS_MAX) +
           (uint64_t)room->max_rows * ROW + tables;
}

int32_t lli_wire_plan_init(struct lli_wire_plan *out, struct lli_heap *heap, const struct lli_wire_room *room)
{
    *out = (struct lli_wire_plan){.heap = heap};
    out->plan.rows = lli_alloc_zero(heap, room->max_rows, sizeof *out->plan.rows);
    out->plan.seqs = lli_alloc_zero(heap, room->max_seqs, sizeof *out->plan.seqs);
    out->copies = lli_alloc_zero(heap, (size_t)room->max_seqs * LLI_GROUPS_MAX, sizeof *out->copies);
    out->plan.copies = out->copies;
    return out->plan.rows && out->plan.seqs && out->copies ? LLMINF_OK : LLMINF_E_MEMORY;
}

void lli_wire_plan_finish(struct lli_wire_plan *plan)
{
    if (!plan->heap)
        return;
    lli_free(plan->heap, plan->plan.rows);
    lli_free(plan->heap, plan->plan.seqs);
    lli_free(plan->heap, plan->copies);
    *plan = (struct lli_wire_plan){0};
}

static int32_t read_counts(struct lli_wire_plan *out, const struct lli_wire_room *room, struct lli_reader *r,
                           struct llminf_error *err)
{
    struct lli_plan *plan = &out->plan;
    out->timeout_ns = (int64_t)lli_reader_u64(r);
    plan->n_seqs = lli_reader_u32(r);
    plan->n_rows = lli_reader_u32(r);
    plan->n_copies = lli_reader_u32(r);
    plan->n_logits = lli_reader_u32(r);
    uint32_t n_groups = lli_reader_u32(r);
    const struct {
        const char *what;
        uint64_t is, least, most;
    } ranges[] = {
        {"time to wait", (uint64_t)out->timeout_ns, 1, MAX_WAIT_NS},
        {"sequences", plan->n_seqs, 1, room->max_seqs},
        {"rows", plan->n_rows, plan->n_seqs, room->max_rows},
        {"copies", plan->n_copies, 0, (uint64_t)plan->n_seqs * LLI_GROUPS_MAX},
        {"logits", plan->n_logits, 0, room->max_logits},
        {"groups", n_groups, room->n_groups, room->n_groups},
    };
    int32_t status = LLMINF_OK;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && status == LLMINF_OK; i++)
        status = check_range(ranges[i].what, ranges[i].is, ranges[i].least, ranges[i].most, err);
    return status;
}

/* The sequences share the rows out, in order; a row's position follows from its sequence's first, which waits in rows[].pos. */
static int32_t read_seqs(struct lli_plan *plan, const struct lli_wire_room *room, struct lli_reader *r,
                         struct llminf_error *err)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < plan->n_seqs; i++) {
        uint32_t first = lli_reader_u32(r), n = lli_reader_u32(r);
        if (n == 0 || n > plan->n_rows - at || first >= room->max_pos || n > room->max_pos - first)
            return lli_fail(err, LLMINF_E_COMM, NAME, "has %u rows at position %u, want at most %u below %u", n, first,
                            plan->n_rows - at, room->max_pos);
        plan->seqs[i] = (struct lli_seq){.first_row = at, .n_rows = n};
        for (uint32_t k = 0; k < n; k++)
            plan->rows[at + k] = (struct lli_row){.pos = first + k, .seq = (uint16_t)i};
        at += n;
    }
    return at == plan->n_rows ? LLMINF_OK : refuse(err, "rows", at, plan->n_rows);
}

static int32_t read_rows(struct lli_plan *plan, const struct lli_wire_room *room, struct lli_reader *r,
                         struct llminf_error *err)
{
    uint32_t n_logits = 0;
    for (uint32_t i = 0; i < plan->n_rows; i++) {
        uint32_t token = lli_reader_u32(r), flags = lli_reader_u32(r);
        if (token >= room->n_vocab)
            return lli_fail(err, LLMINF_E_COMM, NAME, "has token %u, the vocabulary %u", token, room->n_vocab);
        if (flags & ~(uint32_t)KNOWN_FLAGS)
            return lli_fail(err, LLMINF_E_COMM, NAME, "has the flags %x, known are %x", flags, KNOWN_FLAGS);
        plan->rows[i].token = (int32_t)token;
        plan->rows[i].flags = (uint16_t)flags;
        n_logits += (flags & LLI_ROW_LOGITS) != 0;
    }
    return n_logits == plan->n_logits ? LLMINF_OK : refuse(err, "logits", n_logits, plan->n_logits);
}

static int32_t check_block(uint32_t id, uint32_t least, const struct lli_wire_room *room, struct llminf_error *err)
{
    if (id >= least && id < room->n_blocks)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_COMM, NAME, "names block %u, want %u to %u", id, least, room->n_blocks - 1);
}

static int32_t read_copies(struct lli_wire_plan *out, const struct lli_wire_room *room, struct lli_reader *r,
                           struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    for (uint32_t i = 0; i < out->plan.n_copies && status == LLMINF_OK; i++) {
        struct lli_copy *copy = &out->copies[i];
        copy->dst = lli_reader_u32(r);
        copy->src = lli_reader_u32(r);
        copy->n_tokens = lli_reader_u32(r);
        status = check_block(copy->dst, 1, room, err);
        if (status == LLMINF_OK)
            status = check_block(copy->src, 1, room, err);
        if (status == LLMINF_OK && (copy->dst == copy->src || copy->n_tokens > LLI_BLOCK_TOKENS))
            status = lli_fail(err, LLMINF_E_COMM, NAME, "copies %u positions of block %u to %u", copy->n_tokens, copy->src,
                              copy->dst);
    }
    return status;
}

/* The ids stay where they are, in this machine's byte order then. */
static int32_t read_tables(struct lli_plan *plan, const struct lli_wire_room *room, struct lli_reader *r, uint8_t *bytes,
                           struct llminf_error *err)
{
    for (uint32_t i = 0; i < plan->n_seqs; i++)
        for (uint32_t g = 0; g < room->n_groups; g++) {
            uint32_t n = table_entries(plan, &plan->seqs[i]);
            uint8_t *at = bytes + lli_reader_pos(r);
            if (lli_reader_left(r) / 4 < n)
                return refuse(err, "bytes of tables", lli_reader_left(r), (uint64_t)4 * n);
            plan->seqs[i].blocks[g] = (const uint32_t *)(const void *)at;
            for (uint32_t b = 0; b < n; b++) {
                uint32_t id = lli_reader_u32(r);
                int32_t status = check_block(id, 0, room, err);
                if (status != LLMINF_OK)
                    return status;
                memcpy(at + (size_t)4 * b, &id, sizeof id);
            }
        }
    return lli_reader_left(r) == 0 ? LLMINF_OK : refuse(err, "bytes left", lli_reader_left(r), 0);
}

int32_t lli_wire_read_plan(struct lli_wire_plan *out, const struct lli_wire_room *room, const struct lli_wire_head *head,
                           uint8_t *bytes, struct llminf_error *err)
{
    struct lli_plan *plan = &out->plan;
    struct lli_reader r;
    int32_t status = lli_wire_check_body(head, bytes, err);
    lli_reader_init(&r, bytes, head->bytes);
    lli_reader_bytes(&r, LLI_WIRE_HEAD);
    plan->number = head->number;
    if (status == LLMINF_OK)
        status = read_counts(out, room, &r, err);
    if (status == LLMINF_OK)
        status = read_seqs(plan, room, &r, err);
    if (status == LLMINF_OK)
        status = read_rows(plan, room, &r, err);
    if (status == LLMINF_OK)
        status = read_copies(out, room, &r, err);
    return status == LLMINF_OK ? read_tables(plan, room, &r, bytes, err) : status;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

size_t lli_wire_result_bytes(uint32_t n_seqs)
{
    return LLI_WIRE_HEAD + (size_t)n_seqs * 4;
}

int32_t lli_wire_read_result(struct lli_plan *plan, uint64_t number, const uint8_t *bytes, struct llminf_error *err)
{
    struct lli_wire_head head;
    struct lli_reader r;
    size_t n = lli_wire_result_bytes(plan->n_seqs);
    int32_t status = lli_wire_read_head(&head, bytes, n, err);
    if (status == LLMINF_OK && (head.kind != LLI_WIRE_RESULT || head.number != number))
        status = refuse(err, "number of the result", head.number, number);
    if (status == LLMINF_OK && head.bytes != n)
        status = refuse(err, "bytes", head.bytes, n);
    if (status == LLMINF_OK)
        status = lli_wire_check_body(&head, bytes, err);
    if (status != LLMINF_OK)
        return status;
    lli_reader_init(&r, bytes, n);
    lli_reader_bytes(&r, LLI_WIRE_HEAD);
    for (uint32_t i = 0; i < plan->n_seqs; i++) {
        int32_t of_rank = (int32_t)lli_reader_u32(&r);
        if (of_rank != LLMINF_OK && of_rank != LLMINF_E_NUMERIC)
            return lli_fail(err, LLMINF_E_COMM, NAME, "has the status %d of a sequence, which is none", of_rank);
        if (plan->seqs[i].status == LLMINF_OK)
            plan->seqs[i].status = of_rank;
    }
    return LLMINF_OK;
}
