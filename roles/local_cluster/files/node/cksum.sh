#!/bin/sh
# POSIX cksum, for a busybox that was built without it, as Debian's is: CRC and length of a file or of standard input.
set -eu

checksum() {
    od -An -v -tu1 | awk '
        function step(crc, byte,    bit) {
            crc = xor(crc, lshift(byte, 24))
            for (bit = 0; bit < 8; bit++)
                if (crc >= 2147483648)
                    crc = xor((crc - 2147483648) * 2, 79764919)
                else
                    crc = crc * 2
            return crc
        }
        { for (field = 1; field <= NF; field++) { crc = step(crc, $field); count++ } }
        END {
            for (rest = count; rest > 0; rest = int(rest / 256))
                crc = step(crc, rest % 256)
            printf "%.0f %d", 4294967295 - crc, count
        }'
}

if [ $# -eq 0 ]; then
    checksum
    echo
fi
for file; do
    checksum <"$file"
    echo " $file"
done
