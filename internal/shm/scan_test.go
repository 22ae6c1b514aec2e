package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// walk scans to the end, in pages of up to limit keys.
func walk(t *testing.T, s *Store, prefix string, limit int, between func()) []Key {
	t.Helper()
	var all []Key
	var cursor []byte
	for {
		page, next, err := s.Scan(nil, []byte(prefix), cursor, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > limit {
			t.Fatalf("a page of %d keys, the limit is %d", len(page), limit)
		}
		all = append(all, page...)
		if cursor = next; next == nil {
			return all
		}
		if between != nil {
			between()
		}
	}
}

// A scan at rest is every key once, with what it holds, whatever the pages.
func TestScanIsEveryKeyOnce(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			r := b.make(t, Geometry{Size: 8 << 20, Slots: 4})
			_, s := attached(t, r)
			if _, err := s.SetArgs([]byte(`{"not":"a key"}`)); err != nil {
				t.Fatal(err)
			}
			want := map[string]Key{}
			for i := range 500 {
				p := checkPut(i)
				if _, err := s.Put(checkKey(i), p); err != nil {
					t.Fatal(err)
				}
				k := Key{Key: checkKey(i), Integer: p.Value.Integer, Bytes: len(p.Value.Bytes), TTL: p.TTL}
				if k.Integer {
					k.Bytes = len(fmt.Sprint(p.Value.Int))
				} else {
					k.First = p.Value.Bytes[0]
				}
				want[string(k.Key)] = k
			}
			if _, err := s.Put([]byte("gone"), Put{Value: IntegerValue(1), TTL: time.Nanosecond}); err != nil {
				t.Fatal(err)
			}
			await(t, "a key to expire", func() bool { _, err := s.Get([]byte("gone")); return errors.Is(err, ErrNotFound) })
			for _, prefix := range []string{"", "k", "key:00", "key:0123", "nothing"} {
				for _, limit := range []int{1, 2, 7, 100, 1000} {
					left := map[string]bool{}
					for key := range want {
						if bytes.HasPrefix([]byte(key), []byte(prefix)) {
							left[key] = true
						}
					}
					for _, k := range walk(t, s, prefix, limit, nil) {
						w := want[string(k.Key)]
						if !left[string(k.Key)] {
							t.Fatalf("prefix %q, pages of %d: key %q is no such key, or comes twice", prefix, limit, k.Key)
						}
						if k.TTL > w.TTL || k.TTL < w.TTL-time.Minute {
							t.Errorf("%q has a TTL of %v, want %v", k.Key, k.TTL, w.TTL)
						}
						k.TTL, w.TTL = 0, 0
						if fmt.Sprint(k) != fmt.Sprint(w) {
							t.Errorf("%+v, want %+v", k, w)
						}
						delete(left, string(k.Key))
					}
					if len(left) > 0 {
						t.Errorf("prefix %q, pages of %d: %d keys are missing", prefix, limit, len(left))
					}
				}
			}
		})
	}
}

// Keys that stay are never missed, nor told twice, however others come and go.
func TestScanAmongWriters(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: 4 << 20, Slots: 4})
	master, first := attached(t, r)
	const stay = 400
	for i := range stay {
		if _, err := first.Set(fmt.Appendf(nil, "stay%d", i), 1); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	var writing sync.WaitGroup
	for i, s := range []*Store{first, newWorker(t, r, master)} {
		writing.Go(func() {
			for rng := rand.New(rand.NewPCG(9, uint64(i))); !stop.Load(); {
				churn(s, checkKey(rng.IntN(300)), rng.Int64())
				// The keys that stay are replaced all the time.
				_, _ = s.Put(fmt.Appendf(nil, "stay%d", rng.IntN(stay)), Put{Value: BytesValue(make([]byte, rng.IntN(300)))})
			}
		})
	}
	scans := 60
	if testing.Short() {
		scans = 15
	}
	for n := range scans {
		seen := map[string]int{}
		for _, k := range walk(t, master, "stay", 1+n*n%50, nil) {
			seen[string(k.Key)]++
		}
		for i := range stay {
			if key := fmt.Sprint("stay", i); seen[key] != 1 {
				t.Fatalf("scan %d tells %s %d times", n, key, seen[key])
			}
		}
	}
	stop.Store(true)
	writing.Wait()
}

// Keys of one bucket are told apart by their hashes, wherever a page ends.
func TestScanWithinABucket(t *testing.T) {
	t.Parallel()
	all := []scanned{{hash: 5}, {hash: 1}, {hash: 9}, {hash: 5}}
	hashes := []uint64{}
	for _, one := range sorted(slices.Clone(all)) {
		hashes = append(hashes, one.hash)
	}
	if !slices.Equal(hashes, []uint64{1, 5, 5, 9}) {
		t.Fatalf("%v are not in order", hashes)
	}
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	byBucket, most := map[uint64][]string{}, uint64(0)
	for i := range 30_000 {
		key := fmt.Sprint(i)
		var k target
		k.aim([]byte(key), s.seed)
		b := k.bucket(len(r.shards[0].buckets))
		if byBucket[b] = append(byBucket[b], key); len(byBucket[b]) > len(byBucket[most]) {
			most = b
		}
	}
	for _, key := range byBucket[most] {
		if _, err := s.Set([]byte(key), 1); err != nil {
			t.Fatal(err)
		}
	}
	for limit := 1; limit <= len(byBucket[most])+1; limit++ {
		if got := walk(t, s, "", limit, nil); len(got) != len(byBucket[most]) {
			t.Errorf("%d keys in one bucket, in pages of %d: %d", len(byBucket[most]), limit, len(got))
		}
	}
}

// Two keys of one hash, which only somebody with the seed can find, come both,
// in one page if need be.
func TestScanOfOneHash(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	for i := range uint64(20) {
		first := binary.LittleEndian.AppendUint64(nil, 2*i)
		second := binary.LittleEndian.AppendUint64(nil, 2*i+1)
		a, b := fold(s.seed^mulC^2*i, mulA), fold(s.seed^mulC^(2*i+1), mulA)
		first = binary.LittleEndian.AppendUint64(first, 77)
		second = binary.LittleEndian.AppendUint64(second, 77^a^b)
		h1, _ := hashKey(first, s.seed)
		if h2, _ := hashKey(second, s.seed); h1 != h2 {
			t.Fatal("the hashes differ")
		}
		for _, key := range [][]byte{first, second} {
			if _, err := s.Set(key, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, limit := range []int{1, 2, 3, 39, 100} {
		seen, cursor := map[string]int{}, []byte(nil)
		for {
			page, next, err := s.Scan(nil, nil, cursor, limit)
			if err != nil || len(page) > limit+1 {
				t.Fatalf("%d keys in a page of %d: %v", len(page), limit, err)
			}
			for _, k := range page {
				seen[string(k.Key)]++
			}
			if cursor = next; next == nil {
				break
			}
		}
		for key, n := range seen {
			if n != 1 {
				t.Errorf("pages of %d: %x comes %d times", limit, key, n)
			}
		}
		if len(seen) != 40 {
			t.Errorf("pages of %d: %d keys of 40", limit, len(seen))
		}
	}
	if n, err := s.RemovePrefix(nil); n != 40 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
}

func TestScanRefusesCursors(t *testing.T) {
	t.Parallel()
	_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
	for _, bad := range []string{"x", "-", "0-", "-0", "00", "ffffffff", "1-1-1", " 1", "1\x00", strings.Repeat("0", 32), strings.Repeat("g", 32), strings.Repeat("0", 34)} {
		if _, _, err := s.Scan(nil, nil, []byte(bad), 10); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

func TestRemovePrefix(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: 8 << 20, Slots: 4})
	_, s := attached(t, r)
	args := []byte(`{"stay":true}`)
	if _, err := s.SetArgs(args); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		if _, err := s.Put(fmt.Appendf(nil, "%d:%d", i%3, i), Put{Value: BytesValue(make([]byte, i))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix string
		want   int
	}{{"1:", 1000}, {"1:", 0}, {"2:2", len(walk(t, s, "2:2", 1000, nil))}, {"", 2000 - len(walk(t, s, "2:2", 1000, nil))}, {"", 0}} {
		if n, err := s.RemovePrefix([]byte(c.prefix)); n != c.want || err != nil {
			t.Errorf("prefix %q: %d, %v, want %d", c.prefix, n, err, c.want)
		}
	}
	if st := r.Stats(); st.Entries != 0 {
		t.Errorf("%d entries are left", st.Entries)
	}
	if got, err := s.Args(nil); err != nil || !bytes.Equal(got, args) {
		t.Errorf("the arguments are %q, %v", got, err)
	}
}
