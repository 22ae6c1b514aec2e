package main

import (
	"errors"
	"fmt"

	"github.com/fondue-server/fondue/internal/dump"
	"github.com/fondue-server/fondue/internal/master"
	"github.com/fondue-server/fondue/internal/shm"
)

const dumpHelp = `Usage: fondue dump [--region PATH] [--join] [--prefix PREFIX] >FILE

Writes every key of a region to standard output, one JSON object a line, in no
order; fondue load reads it back:

    {"key":"visits","value":42}
    {"key":"session:7","value":{"user":"ada"},"ttl":29.512}
    {"key_base64":"/wA=","value":null}

ttl is what is left to live, in seconds; loading starts it anew. A key that is
not UTF-8 is written in base64. The arguments that /args serves are not part of
a dump: they are given at the start, by --args.

Without --join no server may use the region, and what a killed one left half
done is finished first, as by a start. With --join a server has to be running
and goes on: each line is then true of its key at one moment, keys that come or
go meanwhile may be in the dump or not, and a key may be in it twice, which
loading does not mind.

Exit code 0: whole. 1: the region cannot be opened or read, or the output cannot
be written; what was written is not whole. 2: wrong flag or value.
`

// dumpOptions holds what the flags of dump say.
type dumpOptions struct {
	region, prefix string
	join           bool
}

func (o *dumpOptions) flags() *flagSet {
	return newFlagSet("dump", group{"Flags", []option{
		regionOption(&o.region, "the mapped file to dump"),
		flag("join", "", &o.join, parseBool, "", "dump the region of a running server"),
		flag("prefix", "PREFIX", &o.prefix, parsePrefix, "", "only keys that begin with it"),
	}})
}

func parsePrefix(s string) (string, error) {
	if len(s) > shm.MaxKey {
		return "", fmt.Errorf("%d bytes; a key has %d at most", len(s), shm.MaxKey)
	}
	return s, nil
}

func dumpRegion(p process, args []string) error {
	o := dumpOptions{region: defaultRegion}
	flags := o.flags()
	if err := flags.parse(args, p.lookup); errors.Is(err, errHelp) {
		fmt.Fprint(p.stdout, dumpHelp)
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	region, err := openRegion(o.region, shm.Open)
	if err != nil {
		return explainRegion(err, o.region)
	}
	visit, err := master.VisitConfig{
		Region: o.region, Join: o.join, InUse: "--join dumps it while it runs",
	}.Enter(region)
	if err != nil {
		return err
	}
	return errors.Join(dump.Save(p.stdout, visit.Store, []byte(o.prefix)), visit.Leave())
}
