package main

import (
	"reflect"

	"github.com/fondue-server/fondue/internal/master"
)

// reread reads the settings once more for a reload, the same file as at the start
// included. The command line and the environment of a process cannot have
// changed. It also names the settings that differ from those of the start and
// count at a start only.
func (s *serveOptions) reread(started *flagSet, args []string, lookup func(string) (string, bool)) (master.Settings, []string, error) {
	again := newServeOptions()
	again.again = true
	flags := again.flags()
	if err := flags.parse(args, lookup); err != nil {
		return master.Settings{}, nil, err
	}
	if s.file != "" {
		if err := flags.readFile(s.file); err != nil {
			return master.Settings{}, nil, err
		}
	}
	fixed := differences(started, flags)
	// What was room for workers at the start is it still, and the default of
	// --workers keeps to that.
	if flags.origins["workers"] == "" {
		again.workers = min(again.workers, s.maxWorkers)
	}
	again.maxWorkers = max(again.maxWorkers, s.maxWorkers)
	config, err := again.config(flags.origins)
	return config.Settings, fixed, err
}

func differences(started, again *flagSet) []string {
	before := map[string]any{}
	for o := range started.options() {
		before[o.name] = o.now()
	}
	var names []string
	for o := range again.options() {
		if o.kept && !o.live && !reflect.DeepEqual(o.now(), before[o.name]) {
			names = append(names, o.name)
		}
	}
	return names
}
