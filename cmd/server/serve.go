package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/logging"
	"github.com/fondue-server/fondue/internal/master"
)

func serve(p process, args []string) error {
	s := newServeOptions()
	flags := s.flags()
	if err := flags.parse(args, p.lookup); errors.Is(err, errHelp) {
		fmt.Fprint(p.stdout, serveHelp)
		flags.writeHelp(p.stdout)
		fmt.Fprint(p.stdout, serveNotes)
		return nil
	} else if err != nil {
		return err
	}
	var err error
	if s.activated, err = activated(p.lookup, os.Getpid()); err != nil {
		return err
	}
	upgrade, isHeir, err := handoff.UpgradeFromEnv(p.lookup)
	if err != nil {
		return usagef("%v; the variable is set by a master alone", err)
	}
	s.passedBefore = upgrade.HasKept()
	config, err := s.config(func(name string) bool { return flags.given(name, p.lookup) })
	if err != nil {
		return err
	}
	config.Environ, config.Command = p.environ(), p.command
	if isHeir {
		config.Upgrade = &upgrade
	}
	var queue *logging.Queue
	if config.Log, queue, err = logging.NewQueued(p.stderr, config.LogFormat, config.LogLevel); err != nil {
		return usagef("%v", err)
	}
	defer queue.Close(lastWords)
	for _, warning := range flags.unknownVariables(config.Environ) {
		config.Log.Warn(warning)
	}
	m, err := master.New(config)
	if err != nil {
		return usagef("%v", err)
	}
	if err := m.Run(); err != nil {
		return explainStart(err)
	}
	return nil
}
