package master

import "errors"

// Master is one server. It runs once.
type Master struct {
	cfg Config
}

// New checks the configuration and touches nothing else.
func New(cfg Config) (*Master, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Master{cfg: cfg}, nil
}

// Run starts the server and returns when it has stopped: nil after a graceful
// or a quick stop, or the reason for which it could not start or go on.
func (m *Master) Run() error { return errors.New("not written yet") }
