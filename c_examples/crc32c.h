/*
 * CRC-32C (Castagnoli), the checksum of iSCSI, ext4 and the SSE 4.2 instruction, in plain C for C11 and C++17 alike:
 * eight bytes a step out of eight tables ("slicing by 8", Kounavis and Berry, 2005). And its four bytes on the wire:
 * the least significant byte first, whatever the machine's own order.
 *
 * A table is written once by crc32c_init and only read from then on, so any number of threads may share it.
 */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define CRC32C_SIZE 4

typedef struct crc32c_table {
    uint32_t of[8][256]; /* of[n][b]: what byte b becomes when n zero bytes follow it */
} crc32c_table;

static inline void crc32c_init(crc32c_table *table)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82F63B78) : crc >> 1;
        table->of[0][byte] = crc;
    }
    for (int zeros = 1; zeros < 8; zeros++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = table->of[zeros - 1][byte];
            table->of[zeros][byte] = crc >> 8 ^ table->of[0][crc & 255];
        }
}

static inline uint32_t crc32c_load(const unsigned char wire[CRC32C_SIZE])
{
    return (uint32_t)wire[0] | (uint32_t)wire[1] << 8 | (uint32_t)wire[2] << 16 | (uint32_t)wire[3] << 24;
}

static inline void crc32c_store(unsigned char wire[CRC32C_SIZE], uint32_t crc)
{
    for (int i = 0; i < CRC32C_SIZE; i++)
        wire[i] = (unsigned char)(crc >> 8 * i & 255);
}

/* The CRC-32C of "123456789" is 0xE3069283, of nothing 0. */
static inline uint32_t crc32c(const crc32c_table *table, const void *data, size_t length)
{
    const unsigned char *at = (const unsigned char *)data;
    uint32_t crc = UINT32_C(0xFFFFFFFF);

    for (; length >= 8; at += 8, length -= 8) {
        uint32_t low = crc ^ crc32c_load(at), high = crc32c_load(at + 4);
        crc = table->of[7][low & 255] ^ table->of[6][low >> 8 & 255] ^ table->of[5][low >> 16 & 255] ^
              table->of[4][low >> 24] ^ table->of[3][high & 255] ^ table->of[2][high >> 8 & 255] ^
              table->of[1][high >> 16 & 255] ^ table->of[0][high >> 24];
    }
    for (; length > 0; at++, length--)
        crc = crc >> 8 ^ table->of[0][(crc ^ *at) & 255];
    return ~crc;
}

#endif
