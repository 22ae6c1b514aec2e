package target

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fondue-server/fondue/bench/result"
)

//go:embed nginx.conf
var nginxConf string

// luaModule is where Debian has it; its dependency is beside it.
const luaModule = "/usr/lib/nginx/modules/ngx_http_lua_module.so"

// Nginx is nginx with a Lua shared dict, or with a constant answer.
type Nginx struct {
	Workers  int
	Constant bool
	// Connections is how many a worker must be ready for: each takes memory from the
	// start. Below Debian's number that one counts.
	Connections int
}

const (
	nginxConnections = 768 // Debian's
	nginxOwn         = 64  // of a worker for itself: listeners, channels, who asks for counts
)

// Describe tells what it is.
func (n Nginx) Describe() result.Target {
	if n.Constant {
		return result.Target{Name: fmt.Sprintf("nginx-constant/workers=%d", n.Workers), Title: fmt.Sprintf("nginx, a constant body, %d workers", n.Workers), Workers: n.Workers}
	}
	return result.Target{Name: fmt.Sprintf("nginx-lua/workers=%d", n.Workers), Title: fmt.Sprintf("nginx, a Lua shared dict, %d workers", n.Workers), Workers: n.Workers, Exact: true}
}

// Missing looks for nginx and its module.
func (n Nginx) Missing() string {
	return missing("nginx libnginx-mod-http-lua", "nginx", luaModule)
}

// Versions asks nginx.
func (n Nginx) Versions() map[string]string {
	return map[string]string{"nginx": versionOf("nginx", "-v")}
}

// Start runs it in the foreground, with every file in dir.
func (n Nginx) Start(ctx context.Context, dir string) (Running, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	// A master that is root would have workers of another user, who cannot enter dir.
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	conf := strings.NewReplacer("@USER@", user, "@WORKERS@", fmt.Sprint(n.Workers), "@CONNECTIONS@", fmt.Sprint(max(nginxConnections, n.Connections+nginxOwn)), "@ADDRESS@", address, "@UNIX@", filepath.Join(dir, "s"), "@DIR@", dir,
		"@MODULES@", filepath.Dir(luaModule)).Replace(nginxConf)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	r := &running{address: address, unix: filepath.Join(dir, "s"), routes: counting(), uncounted: n.Constant}
	if n.Constant {
		r.routes = map[string]route{"increment": {"GET", "/constant?key=%s"}, "report": {"GET", "/constant?key=%s"}}
	}
	r.server, err = launch(dir, nil, "nginx", "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off;")
	return r.begin(ctx, err, "/constant")
}
