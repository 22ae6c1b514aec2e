package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/logging"
	"github.com/fondue-server/fondue/internal/master"
)

func serve(p process, args []string) (err error) {
	upgrade, inherits, err := handoff.UpgradeFromEnv(p.lookup)
	if err != nil {
		return usagef("%v; the variable is set by a master alone", err)
	}
	runs := false
	defer func() {
		if inherits && !runs && err != nil {
			master.Refuse(upgrade, err) // one that runs tells the other by itself
		}
	}()
	s := newServeOptions()
	s.again, s.passedBefore = inherits, upgrade.HasKept()
	if s.activated, err = activated(p.lookup, os.Getpid()); err != nil {
		return err
	}
	config, flags, err := s.read(args, p.lookup)
	if errors.Is(err, errHelp) {
		fmt.Fprint(p.stdout, serveHelp)
		flags.writeHelp(p.stdout)
		fmt.Fprint(p.stdout, serveNotes)
		return nil
	} else if err != nil {
		return err
	}
	level, err := logging.ParseLevel(config.LogLevel)
	if err != nil {
		return usagef("%v", err)
	}
	config.Level = new(slog.LevelVar)
	config.Level.Set(level)
	config.Environ, config.Command, config.Version = p.environ(), p.command, versionName()
	if inherits {
		config.Upgrade = &upgrade
	}
	var queue *logging.Queue
	if config.Log, queue, err = logging.NewQueued(p.stderr, config.LogFormat, config.Level); err != nil {
		return usagef("%v", err)
	}
	defer queue.Close(lastWords)
	config.Reread = func() (master.Settings, []string, error) { return s.reread(flags, args, p.lookup) }
	m, err := master.New(config)
	if err != nil {
		return usagef("%v", err)
	}
	if s.check {
		fmt.Fprintf(p.stdout, "%s is good\n", s.subject())
		return nil
	}
	for _, warning := range flags.unknownVariables(config.Environ) {
		config.Log.Warn(warning)
	}
	runs = true
	if err := m.Run(); err != nil {
		return explainStart(err)
	}
	return nil
}

// read takes the settings from the command line, the environment and the file of
// --config; the first one that has a value wins.
func (s *serveOptions) read(args []string, lookup func(string) (string, bool)) (master.Config, *flagSet, error) {
	flags := s.flags()
	if err := flags.parse(args, lookup); err != nil {
		return master.Config{}, flags, err
	}
	if s.file != "" {
		path, err := filepath.Abs(s.file)
		if err != nil {
			return master.Config{}, flags, usagef("%s %s: %v", flags.origins["config"], s.file, err)
		}
		if err := flags.readFile(path); err != nil {
			return master.Config{}, flags, err
		}
		s.file = path
	}
	config, err := s.config(flags.origins)
	return config, flags, err
}

// subject names what --check-config has looked at.
func (s *serveOptions) subject() string {
	if s.file == "" {
		return "the configuration"
	}
	return s.file
}
