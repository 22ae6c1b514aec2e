package shm

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"time"
)

var (
	magic      = [8]byte{0x89, 'F', 'O', 'N', 'D', 'U', 'E', '\n'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

const (
	crcOffset  = 12
	bootIDPath = "/proc/sys/kernel/random/boot_id"
)

// bootID names this boot of the kernel.
func bootID() ([16]byte, error) {
	text, err := os.ReadFile(bootIDPath)
	if err != nil {
		return [16]byte{}, fmt.Errorf("which boot this is: %w", err)
	}
	digits := bytes.ReplaceAll(bytes.TrimSpace(text), []byte("-"), nil)
	id, err := hex.AppendDecode(nil, digits)
	if err != nil || len(id) != 16 {
		return [16]byte{}, fmt.Errorf("%s: %q is no boot id", bootIDPath, text)
	}
	return [16]byte(id), nil
}

// seal completes a planned superblock and writes it to the page of a region
// that nobody else sees yet.
func (m memory) seal(sb superblock) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("random seed: %w", err)
	}
	sb.magic = magic
	sb.version = LayoutVersion
	sb.fingerprint = layoutFingerprint
	sb.bootID = boot
	sb.instance = binary.LittleEndian.Uint64(random[:])
	sb.hashSeed = binary.LittleEndian.Uint64(random[8:])
	sb.createdAt = time.Now().UnixNano()
	*m.superblock() = sb
	m.superblock().crc = pageCRC(m.page())
	return nil
}

// pageCRC is the checksum of a superblock's page with its own field left out.
func pageCRC(page []byte) uint32 {
	crc := crc32.Update(0, castagnoli, page[:crcOffset])
	crc = crc32.Update(crc, castagnoli, []byte{0, 0, 0, 0})
	return crc32.Update(crc, castagnoli, page[crcOffset+4:pageSize])
}

// validate says whether page begins a region that this program can use, of
// fileSize bytes. The order makes the clearest error win: magic and checksum
// are where they are in every version.
func validate(page []byte, fileSize int64) (superblock, error) {
	if len(page) < len(magic) || [8]byte(page[:8]) != magic {
		return superblock{}, ErrNotRegion
	}
	if len(page) < pageSize {
		return superblock{}, fmt.Errorf("%w: %d bytes, not even one page", ErrTruncated, fileSize)
	}
	if binary.LittleEndian.Uint32(page[crcOffset:]) != pageCRC(page) {
		return superblock{}, fmt.Errorf("%w: the superblock does not match its checksum", ErrDamaged)
	}
	sb := *memoryOf(page).superblock()
	if sb.version != LayoutVersion || sb.fingerprint != layoutFingerprint {
		return superblock{}, fmt.Errorf("%w: %d (%x), this program has %d (%x)", ErrVersion,
			sb.version, sb.fingerprint, LayoutVersion, uint64(layoutFingerprint))
	}
	plan, err := Geometry{Size: int64(sb.size), Slots: int(sb.slots), MaxValue: int64(sb.maxValue)}.plan()
	if err != nil || !sb.sameGeometry(plan) {
		return superblock{}, fmt.Errorf("%w: the superblock contradicts itself", ErrDamaged)
	}
	if uint64(fileSize) != sb.size {
		return superblock{}, fmt.Errorf("%w: %d bytes, the superblock says %d", ErrTruncated, fileSize, sb.size)
	}
	return sb, nil
}

// sameGeometry compares what a plan decides.
func (sb superblock) sameGeometry(o superblock) bool {
	return sb.size == o.size && sb.slots == o.slots && sb.shards == o.shards && sb.maxValue == o.maxValue &&
		sb.scoreboard == o.scoreboard && sb.meters == o.meters && sb.shardsOff == o.shardsOff &&
		sb.shardSize == o.shardSize && sb.buckets == o.buckets && sb.units == o.units &&
		sb.bitmapOff == o.bitmapOff && sb.marksOff == o.marksOff && sb.unitsOff == o.unitsOff
}
