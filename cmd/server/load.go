package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fondue-server/fondue/internal/dump"
	"github.com/fondue-server/fondue/internal/master"
	"github.com/fondue-server/fondue/internal/shm"
)

const loadHelp = `Usage: fondue load [flags] [FILE]

Reads what fondue dump has written, from FILE or from standard input, and sets
each key in a region: one that is there is replaced, unless --if-absent is given.

    {"key":"visits","value":42}
    {"key":"session:7","value":{"user":"ada"},"ttl":"30s"}
    {"key_base64":"/wA=","value":null}

ttl is a number of seconds or a duration such as "1h30m", and counts from now.
All of the input is read and checked before anything is changed: it has to fit
into memory, and one bad line refuses it. Of a key with several lines the last
one counts. Keys that are not in the input stay as they are.

Without --join no server may use the region, and one that is not there is made.
With --join a server has to be running, and its workers see each key as it comes.

Exit code 0: every key is loaded, or kept. 1: not so; the error names the line,
and how many are loaded. 2: wrong flag or value.
`

// loadOptions holds what the flags of load say.
type loadOptions struct {
	region         string
	join, ifAbsent bool
	maxValue       int64
	regionSize     int64
	maxWorkers     int
}

func newLoadOptions() *loadOptions {
	return &loadOptions{region: defaultRegion, regionSize: defaultRegionSize, maxWorkers: defaultMaxWorkers}
}

func (o *loadOptions) flags() *flagSet {
	flags := newFlagSet("load", group{"Flags", []option{
		regionOption(&o.region, "the mapped file; created with mode 0600 if it is not there"),
		flag("join", "", &o.join, parseBool, "", "load into the region of a running server"),
		flag("if-absent", "", &o.ifAbsent, parseBool, "", "keys that are there keep what they hold"),
		maxValueOption(&o.maxValue),
		regionSizeOption(&o.regionSize, "size of a new region, reserved in full when it is created"),
		maxWorkersOption(&o.maxWorkers),
	}})
	flags.operand = "FILE"
	return flags
}

func loadRegion(p process, args []string) error {
	o := newLoadOptions()
	flags := o.flags()
	if err := flags.parse(args, p.lookup); errors.Is(err, errHelp) {
		fmt.Fprint(p.stdout, loadHelp)
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	input, name, err := readDump(p, flags.word())
	if err != nil {
		return err
	}
	visit, err := o.visit()
	if err != nil {
		return explainStart(err)
	}
	if err := input.CheckSizes(visit.MaxValue); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), visit.Undo())
	}
	done, err := dump.Load(visit.Store, input, o.ifAbsent)
	if err := errors.Join(explainLoad(err, name, done), visit.Leave()); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "loaded %s", count(uint64(done.Loaded), "key", "keys"))
	if o.ifAbsent {
		fmt.Fprintf(p.stdout, ", kept %d", done.Kept)
	}
	fmt.Fprintln(p.stdout)
	return nil
}

// readDump reads the input to its end, the file or, for "" and "-", standard
// input, and returns how errors about it call it.
func readDump(p process, path string) (input *dump.Input, name string, err error) {
	from, name := p.stdin, "standard input"
	if path != "" && path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, path, fmt.Errorf("cannot read %s: %w", path, cause(err))
		}
		defer file.Close() // it was only read
		from, name = file, path
	}
	input, err = dump.Read(from)
	if unread := new(fs.PathError); errors.As(err, &unread) {
		return nil, name, fmt.Errorf("cannot read %s: %w", name, unread.Err)
	}
	if err != nil {
		return nil, name, fmt.Errorf("%s: %w", name, err)
	}
	return input, name, nil
}

// visit comes into the region, which is made if it is not there.
func (o *loadOptions) visit() (*master.Visit, error) {
	config := master.VisitConfig{
		Region: o.region, Join: o.join, InUse: "--join loads into it while it runs",
		MaxValue: o.maxValue, RegionSize: o.regionSize, MaxWorkers: o.maxWorkers,
	}
	region, err := openRegion(o.region, shm.Open)
	switch {
	case err == nil:
		return config.Enter(region)
	case errors.Is(err, fs.ErrNotExist) && !o.join:
		return config.Create()
	}
	return nil, explainRegion(err, o.region)
}

// explainLoad says how far a load came, and what to do.
func explainLoad(err error, name string, done dump.Result) error {
	if err == nil {
		return nil
	}
	advice := ""
	if errors.Is(err, shm.ErrFull) {
		advice = "; delete what is not needed, or load into a larger region"
	}
	return fmt.Errorf("%s: %w%s; %s loaded and stay", name, err, advice, count(uint64(done.Loaded), "key is", "keys are"))
}
