package shm

import (
	"errors"
	"fmt"
)

// Errors of creating a region. Nothing is left behind by any of them.
var (
	// ErrGeometry: the size or the number of slots cannot make a region.
	ErrGeometry = errors.New("region geometry is out of range")
	// ErrExists: there is a file at the path already; it was not touched.
	ErrExists = errors.New("region file exists already")
	// ErrNoSpace: the file system cannot reserve the whole size now.
	ErrNoSpace = errors.New("not enough room in the file system for the region")
	// ErrTooLarge: the size exceeds the memory that this control group may use.
	ErrTooLarge = errors.New("region is larger than the memory limit of this process")
)

// Errors of opening a region. The file is never changed by any of them.
var (
	// ErrNotPrivate: others than this process's user may write to the file.
	ErrNotPrivate = errors.New("region file is not private")
	// ErrNotRegion: the file does not begin as a region does.
	ErrNotRegion = errors.New("not a fondue region")
	// ErrVersion: a region of another layout, made by another release.
	ErrVersion = errors.New("region has another layout version")
	// ErrDamaged: a region whose superblock contradicts its checksum or itself.
	ErrDamaged = errors.New("region is damaged")
	// ErrTruncated: the file is shorter or longer than its superblock says.
	ErrTruncated = errors.New("region file has the wrong length")
	// ErrOtherBoot: written under another boot of the kernel. What memory held
	// at a power failure cannot be told from what it should have held, so the
	// content is not trusted.
	ErrOtherBoot = errors.New("region was written before the last reboot")
)

// Errors of taking a place in the scoreboard.
var (
	// ErrInUse: another living master owns the region; see InUseError.
	ErrInUse = errors.New("region is in use")
	// ErrNoMaster: there is no living master to join.
	ErrNoMaster = errors.New("no running master owns the region")
	// ErrOrphans: workers of a master that was killed have not left yet; see
	// OrphansError. They leave by themselves: try again in a moment.
	ErrOrphans = errors.New("workers of an earlier master are still leaving")
	// ErrNoSlot: every slot of the scoreboard is taken.
	ErrNoSlot = errors.New("no free slot in the region")
	// ErrReadOnly: the region was opened to be looked at.
	ErrReadOnly = errors.New("region is open for reading only")
	// ErrSlotLost: the slot belongs to another generation or process now.
	ErrSlotLost = errors.New("slot is lost")
)

// Errors of the operations on keys. The key is unchanged after each of them; but
// others may have been evicted, where the policy says so.
var (
	// ErrBusy: a brief store would have to wait for somebody who changes the same shard.
	ErrBusy = errors.New("that cannot be done at once")
	// ErrLong: a brief store would have to copy a long value.
	ErrLong = errors.New("that cannot be done briefly")
	// ErrNotFound: no such key.
	ErrNotFound = errors.New("key not found")
	// ErrKeyLength: a key has 1 to MaxKey bytes.
	ErrKeyLength = errors.New("key must have 1 to 512 bytes")
	// ErrOverflow: the sum does not fit a signed 64-bit integer.
	ErrOverflow = errors.New("integer overflow")
	// ErrNotInteger: the key holds bytes, and an integer is needed.
	ErrNotInteger = errors.New("value is not an integer")
	// ErrCondition: the Condition of the change is not true of the key.
	ErrCondition = errors.New("condition is not met")
	// ErrValueTooLarge: more bytes than the policy allows, or than a shard holds.
	ErrValueTooLarge = errors.New("value is too large")
	// ErrFull: the key's shard has no room for the change.
	ErrFull = errors.New("region is full")
	// ErrLocked: a process that does not go on, stopped or hanging, holds the
	// lock of the key's shard. Its master has to end it; try again later.
	ErrLocked = errors.New("the key's shard is locked by a process that does not go on")
	// ErrCursor: a cursor that no scan of this region returned.
	ErrCursor = errors.New("not a cursor of this region")
	// ErrCorrupt: the region contradicts itself; Check tells where.
	ErrCorrupt = errors.New("region content is corrupt")
)

// InUseError tells which master owns the region. It wraps ErrInUse.
type InUseError struct {
	PID int
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("%v by the master with pid %d", ErrInUse, e.PID)
}

func (e *InUseError) Unwrap() error { return ErrInUse }

// OrphansError tells which workers outlive their master. It wraps ErrOrphans.
type OrphansError struct {
	PIDs []int
}

func (e *OrphansError) Error() string { return fmt.Sprintf("%v: pids %v", ErrOrphans, e.PIDs) }

func (e *OrphansError) Unwrap() error { return ErrOrphans }
