/* A submission in C. It reads the task folder's arrays and tables and writes predictions/mean.npy and idx.npy.
 *
 * The model: the mean shift of each perturbation over all contexts. A combination that training did not show is the sum of the
 * shifts of its genes; anything else that is new gets the mean shift of everything.
 *
 * Plain C11 and the C library; see docs/how-to/containers.md.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    float *values; /* [rows, columns] */
    size_t rows, columns;
} Matrix;

typedef struct {
    char **cells; /* [rows, columns], the header left out */
    char **names;
    size_t rows, columns;
} Table;

typedef struct {
    const char *pert, *genes;
    double *shift; /* [genes] */
    size_t count;
} Effect;

static void fail(const char *format, ...)
{
    va_list parts;
    va_start(parts, format);
    vfprintf(stderr, format, parts);
    va_end(parts);
    fputc('\n', stderr);
    exit(1);
}

static void *reserve(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        fail("std::bad_alloc: no memory for %zu values", count); /* the harness knows these words */
    return memory;
}

static char *join(const char *folder, const char *name)
{
    char *path = reserve(strlen(folder) + strlen(name) + 2, 1);
    sprintf(path, "%s/%s", folder, name);
    return path;
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        fail("%s: %s", path, strerror(errno));
    return file;
}

/* The format of numpy's .npy files, version 1 and 2: magic, length, a header in Python's words, the values. */
static Matrix read_npy(const char *path)
{
    FILE *file = open_file(path, "rb");
    unsigned char start[12];
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6))
        fail("%s is no .npy file", path);
    size_t length = start[8] | start[9] << 8;
    if (start[6] > 1) {
        if (fread(start + 10, 1, 2, file) != 2)
            fail("%s is cut short", path);
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    char *header = reserve(length + 1, 1);
    if (fread(header, 1, length, file) != length)
        fail("%s is cut short", path);
    const char *shape = strstr(header, "'shape':");
    Matrix matrix = {0};
    if (!strstr(header, "'<f4'") || !strstr(header, "'fortran_order': False") || !shape ||
        sscanf(strchr(shape, '('), "(%zu, %zu)", &matrix.rows, &matrix.columns) != 2)
        fail("%s is no float32 matrix in row order: %s", path, header);
    size_t count = matrix.rows * matrix.columns;
    matrix.values = reserve(count, sizeof(float));
    if (fread(matrix.values, sizeof(float), count, file) != count)
        fail("%s is cut short", path);
    free(header);
    fclose(file);
    return matrix;
}

static void write_npy(const char *path, const char *kind, const char *shape, const void *values, size_t bytes)
{
    FILE *file = open_file(path, "wb");
    char header[256];
    int length = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", kind, shape);
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, padded & 0xff, padded >> 8};
    if (fwrite(start, 1, 10, file) != 10 || fprintf(file, "%s%*s\n", header, padded - 1 - length, "") != padded ||
        fwrite(values, 1, bytes, file) != bytes || fclose(file))
        fail("%s: %s", path, strerror(errno));
}

static char *read_all(const char *path)
{
    FILE *file = open_file(path, "rb");
    size_t size = 0, room = 1 << 16, got;
    char *text = reserve(room, 1);
    while ((got = fread(text + size, 1, room - size - 1, file)) > 0) {
        size += got;
        if (size + 1 == room && !(text = realloc(text, room *= 2)))
            fail("std::bad_alloc: no memory for %s", path);
    }
    text[size] = 0;
    fclose(file);
    return text;
}

static Table read_tsv(const char *path)
{
    char *text = read_all(path), *cursor = text;
    Table table = {.columns = 1};
    size_t end = strcspn(text, "\n"), lines = 0;
    for (size_t i = 0; i < end; i++)
        table.columns += text[i] == '\t';
    for (char *c = text; *c; c++)
        lines += *c == '\n';
    table.rows = lines ? lines - 1 : 0;
    char **cells = reserve(lines * table.columns, sizeof(char *));
    for (size_t i = 0; i < lines * table.columns; i++) {
        cells[i] = cursor;
        cursor += strcspn(cursor, "\t\n");
        *cursor++ = 0;
    }
    table.names = cells;
    table.cells = cells + table.columns;
    return table;
}

static size_t column(Table table, const char *name)
{
    for (size_t i = 0; i < table.columns; i++)
        if (!strcmp(table.names[i], name))
            return i;
    fail("no column %s", name);
    return 0;
}

static const char *cell(Table table, size_t row, size_t column)
{
    return table.cells[row * table.columns + column];
}

static Effect *find(Effect *effects, size_t count, const char *genes, size_t length, int by_genes)
{
    for (size_t i = 0; i < count; i++) {
        const char *own = by_genes ? effects[i].genes : effects[i].pert;
        if (length && strlen(own) == length && !memcmp(own, genes, length))
            return effects + i;
    }
    return NULL;
}

static size_t learn(Matrix X, Table obs, Effect *effects, double *overall)
{
    size_t pert = column(obs, "pert_id"), genes = column(obs, "pert_genes"), control = column(obs, "is_control");
    size_t matched = column(obs, "control_row"), count = 0, total = 0;
    for (size_t row = 0; row < obs.rows; row++) {
        const char *is = cell(obs, row, control), *name = cell(obs, row, pert);
        if (!strcmp(is, "1") || !strcmp(is, "True"))
            continue;
        Effect *effect = find(effects, count, name, strlen(name), 0);
        if (!effect) {
            effect = effects + count++;
            *effect = (Effect){name, cell(obs, row, genes), reserve(X.columns, sizeof(double)), 0};
        }
        long own = strtol(cell(obs, row, matched), NULL, 10);
        for (size_t gene = 0; gene < X.columns; gene++) {
            double delta = X.values[row * X.columns + gene] - (own < 0 ? 0 : X.values[own * X.columns + gene]);
            effect->shift[gene] += delta;
            overall[gene] += delta;
        }
        effect->count++;
        total++;
    }
    for (size_t gene = 0; gene < X.columns; gene++) {
        overall[gene] /= total ? total : 1;
        for (size_t i = 0; i < count; i++)
            effects[i].shift[gene] /= effects[i].count;
    }
    return count;
}

/* The shift of one query row into `out`: as trained, else the sum over its genes, else the mean of everything. */
static void predict(Effect *effects, size_t count, const double *overall, const char *pert, const char *genes,
                    float *out, size_t columns)
{
    Effect *known = find(effects, count, pert, strlen(pert), 0);
    const char *part = genes;
    memset(out, 0, columns * sizeof(float));
    do {
        size_t length = strcspn(part, "+");
        Effect *single = known ? known : find(effects, count, part, length, 1);
        const double *shift = single ? single->shift : overall;
        for (size_t gene = 0; gene < columns; gene++)
            out[gene] += (float)shift[gene];
        part += length + (part[length] == '+');
    } while (!known && *part);
}

int main(int argc, char **argv)
{
    const char *task = getenv("HARNESS_TASK"), *output = getenv("HARNESS_OUTPUT");
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--task"))
            task = argv[i + 1];
        if (!strcmp(argv[i], "--output"))
            output = argv[i + 1];
    }
    if (!task || !output)
        fail("usage: predict --task DIR --output DIR");
    Matrix X = read_npy(join(task, "train/X.npy"));
    Table train = read_tsv(join(task, "train/obs.tsv")), query = read_tsv(join(task, "query/obs.tsv"));
    if (X.rows != train.rows)
        fail("train/X.npy has %zu rows, train/obs.tsv %zu", X.rows, train.rows);
    Effect *effects = reserve(train.rows, sizeof(Effect));
    double *overall = reserve(X.columns, sizeof(double));
    size_t count = learn(X, train, effects, overall);

    float *mean = reserve(query.rows * X.columns, sizeof(float));
    int64_t *idx = reserve(query.rows, sizeof(int64_t));
    size_t pert = column(query, "pert_id"), genes = column(query, "pert_genes"), number = column(query, "row");
    for (size_t row = 0; row < query.rows; row++) {
        idx[row] = strtoll(cell(query, row, number), NULL, 10);
        predict(effects, count, overall, cell(query, row, pert), cell(query, row, genes), mean + row * X.columns,
                X.columns);
    }
    char shape[64], *folder = join(output, "predictions");
    if (mkdir(folder, 0755) && errno != EEXIST)
        fail("%s: %s", folder, strerror(errno));
    snprintf(shape, sizeof shape, "(%zu, %zu)", query.rows, X.columns);
    write_npy(join(folder, "mean.npy"), "<f4", shape, mean, query.rows * X.columns * sizeof(float));
    snprintf(shape, sizeof shape, "(%zu,)", query.rows);
    write_npy(join(folder, "idx.npy"), "<i8", shape, idx, query.rows * sizeof(int64_t));
    return 0;
}
