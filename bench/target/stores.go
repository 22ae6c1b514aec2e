package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// opened is a store that was started for a target.
type opened struct {
	process *process     // nil: it needs none
	port    string       // of the loopback; "" none
	env     []string     // by which an application finds it
	free    func() error // after the process has ended; nil for nothing
}

// open starts a program that listens on a port of its own.
func open(ctx context.Context, dir string, argv func(port string) []string) (opened, error) {
	address, err := freeAddress()
	if err != nil {
		return opened{}, err
	}
	o := opened{port: portOf(address)}
	o.env = []string{"STORE_PORT=" + o.port}
	if o.process, err = launch(dir, o.env, argv(o.port)...); err != nil {
		return opened{}, err
	}
	return o, o.process.await(ctx, func() error { return accepts(address) })
}

func openRedis(ctx context.Context, dir string) (opened, error) {
	return open(ctx, dir, func(port string) []string {
		return []string{"redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--maxclients", "20000", "--dir", dir}
	})
}

func openManager(ctx context.Context, dir string) (opened, error) {
	return open(ctx, dir, func(string) []string { return []string{python, filepath.Join(dir, "manager_server.py")} })
}

// openSQLite makes the file first: workers that all turn to the write-ahead log at
// their start would get in each other's way.
func openSQLite(ctx context.Context, dir string) (opened, error) {
	o := opened{env: []string{"STORE_FILE=" + filepath.Join(dir, "counts.sqlite")}}
	made := exec.CommandContext(ctx, python, filepath.Join(dir, "store_sqlite.py"))
	made.Env = append(cleanEnviron(), o.env...)
	if out, err := made.CombinedOutput(); err != nil {
		return o, fmt.Errorf("sqlite: %w: %s", err, out)
	}
	return o, nil
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address) // of freeAddress
	return port
}

func accepts(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// postgresBin is where the newest PostgreSQL has its programs; "" for none.
func postgresBin() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // sorted
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// openPostgres makes a cluster of its own. PostgreSQL does not run as root, and
// then has a directory that its own user may enter.
func openPostgres(ctx context.Context, dir string) (o opened, err error) {
	home, err := os.MkdirTemp("", "bench-postgres-")
	if err != nil {
		return o, err
	}
	o.free = func() error { return os.RemoveAll(home) }
	as, err := asPostgres(home)
	if err != nil {
		return o, err
	}
	bin, data := postgresBin(), filepath.Join(home, "data")
	argv := slices.Concat(as, []string{filepath.Join(bin, "initdb"), "--pgdata", data, "--auth=trust", "--username=postgres", "--no-sync"})
	made := exec.CommandContext(ctx, argv[0], argv[1:]...)
	made.Dir = home
	if out, err := made.CombinedOutput(); err != nil {
		return o, fmt.Errorf("initdb: %w: %s", err, out)
	}
	free := o.free
	// Its settings are Debian's but for what a private instance needs.
	o, err = open(ctx, dir, func(port string) []string {
		return slices.Concat(as, []string{filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-h", "127.0.0.1", "-k", home, "-c", "max_connections=200"})
	})
	o.free = free
	if o.process != nil {
		o.process.ending = syscall.SIGINT // a TERM would wait for clients
	}
	if err != nil {
		return o, err
	}
	return o, o.process.await(ctx, func() error {
		table := exec.CommandContext(ctx, "psql", "-h", "127.0.0.1", "-p", o.port, "-U", "postgres", "-qc", "CREATE TABLE counts (key text PRIMARY KEY, n bigint NOT NULL)")
		if out, err := table.CombinedOutput(); err != nil {
			return errors.New(string(out))
		}
		return nil
	})
}

// asPostgres is how a command is run as the user that PostgreSQL has, who gets the
// directory; nothing where this is another user than root.
func asPostgres(home string) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(owner.Uid) // numbers on Linux
	gid, _ := strconv.Atoi(owner.Gid)
	return []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"}, os.Chown(home, uid, gid)
}
