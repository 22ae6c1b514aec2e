package target

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fondue-server/fondue/bench/result"
)

// python is the interpreter that Debian's packages are for.
const python = "/usr/bin/python3"

//go:embed python/*.py
var pythonFiles embed.FS

// FastAPI is a counter behind FastAPI under uvicorn, or under gunicorn --preload,
// over one of the stores that people use for it.
type FastAPI struct {
	Store   string // of stores
	Workers int
}

// store is what a FastAPI target counts in.
type store struct {
	title    string
	exact    bool
	preload  bool     // under gunicorn --preload
	values   bool     // besides counters
	module   string   // that the application imports
	clients  []string // packages of Python between it and the store
	packages string
	programs []string
	// open starts what the store needs; nil for nothing.
	open func(ctx context.Context, dir string) (opened, error)
}

var stores = map[string]store{
	"global":       {title: "a plain global"},
	"redis":        {title: "Redis", exact: true, values: true, module: "redis.asyncio", clients: []string{"redis", "hiredis"}, packages: "redis-server python3-redis", programs: []string{"redis-server"}, open: openRedis},
	"manager":      {title: "a Manager dict, gunicorn --preload", preload: true},
	"manager-lock": {title: "a Manager dict and lock, gunicorn --preload", exact: true, preload: true},
	"syncmanager":  {title: "a manager's server, with a lock", exact: true, open: openManager},
	"postgres":     {title: "PostgreSQL", exact: true, module: "asyncpg", clients: []string{"asyncpg"}, packages: "postgresql python3-asyncpg", programs: []string{"psql"}, open: openPostgres},
	"sqlite":       {title: "SQLite", exact: true, open: openSQLite},
}

// Describe tells what it is. The globals of several workers are none of them the
// count, which reading one back shows; that of one worker is.
func (f FastAPI) Describe() result.Target {
	s := stores[f.Store]
	return result.Target{
		Name: fmt.Sprintf("fastapi-%s/workers=%d", f.Store, f.Workers), Title: fmt.Sprintf("FastAPI, %s, %d workers", s.title, f.Workers),
		Workers: f.Workers, Exact: s.exact || f.Store == "global" && f.Workers == 1,
	}
}

// Missing looks for Python's packages and the store's programs.
func (f FastAPI) Missing() string {
	s := stores[f.Store]
	modules, packages := "fastapi, uvicorn", "python3-fastapi uvicorn"
	if s.preload {
		modules, packages = modules+", gunicorn", packages+" gunicorn"
	}
	if s.module != "" {
		modules, packages = modules+", "+s.module, packages+" "+s.packages
	}
	if err := exec.Command(python, "-c", "import "+modules).Run(); err != nil {
		return python + " has not all of " + modules + "; apt-get install " + packages
	}
	if f.Store == "postgres" && postgresBin() == "" {
		return "initdb is not here; apt-get install postgresql"
	}
	return missing(s.packages, s.programs...)
}

// Versions are those of the interpreter, of what is in a request's way, and of the
// store. uvicorn uses uvloop and httptools where they are, and redis hiredis.
func (f FastAPI) Versions() map[string]string {
	s := stores[f.Store]
	packages := []string{"fastapi", "uvicorn", "uvloop", "httptools"}
	if s.preload {
		packages = append(packages, "gunicorn")
	}
	all := versionsOfPython(append(packages, s.clients...)...)
	switch f.Store {
	case "redis":
		all["redis-py"], all["redis"] = all["redis"], versionOf("redis-server", "--version")
	case "postgres":
		all["postgresql"] = versionOf(filepath.Join(postgresBin(), "postgres"), "--version")
	}
	if f.Store != "sqlite" {
		delete(all, "sqlite")
	}
	return all
}

// Start runs the store, then the application.
func (f FastAPI) Start(ctx context.Context, dir string) (Running, error) {
	if err := unpack(dir); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := stores[f.Store]
	r := &running{address: address, routes: counting()}
	if s.values {
		r.routes = keyed(r.routes)
	}
	env := []string{"STORE=" + strings.ReplaceAll(f.Store, "-", "_"), "PYTHONDONTWRITEBYTECODE=1"}
	if s.open != nil {
		o, err := s.open(ctx, dir)
		if o.process != nil {
			r.needs = append(r.needs, o.process)
		}
		if r.free = o.free; err != nil {
			return r.begin(ctx, err, "")
		}
		env = append(env, o.env...)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return r.begin(ctx, err, "")
	}
	workers := strconv.Itoa(f.Workers)
	if s.preload {
		// A worker that is told to end while it boots does not hear it, and is killed
		// when the time for a graceful end is over.
		r.server, err = launch(dir, env, python, "-m", "gunicorn", "--preload", "--bind", address, "--workers", workers, "--worker-class", "uvicorn.workers.UvicornWorker",
			"--graceful-timeout", "2", "--log-level", "warning", "app:app")
	} else {
		r.server, err = launch(dir, env, python, "-m", "uvicorn", "--host", host, "--port", port, "--workers", workers, "--log-level", "warning", "--no-access-log", "app:app")
	}
	return r.begin(ctx, err, "/report?key=none")
}

func unpack(dir string) error {
	return fs.WalkDir(pythonFiles, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := pythonFiles.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600)
	})
}
