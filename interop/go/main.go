// Command peer is a stranger to Netloom: programs on the SDK of Network Service Mesh, in plaintext, for the tests of
// interop/. Its standard input takes commands, one JSON object a line; its standard output gives answers:
//
//	> {"id":1,"verb":"request","body":{…}}
//	< {"id":1,"body":{…}}                                  the answer; of a stream one line for each
//	< {"id":1,"error":{"code":"NotFound","message":"…"}}   the end of a failed command
//	< {"id":1,"end":true}                                  the end of a command that succeeded
//
// Bodies are messages of the wire contracts, as protojson writes them. `{"id":2,"verb":"cancel","target":1}` ends a
// stream. The end of standard input ends the program.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"
)

// role starts the program of a subcommand, and returns its verbs.
type role func(ctx context.Context, options options) (verbs, error)

type options struct {
	name                string
	listen              string
	connect             string
	url                 string
	service             string
	ifname              string
	prefix              string
	leaseMs             int
	lifetimeMs          int
	withHeal            bool
	withUpstreamRefresh bool
	withFiles           bool
	isStrict            bool
}

var roles = map[string]role{
	"client":          startClient,
	"endpoint":        startEndpoint,
	"registry-client": startRegistryClient,
	"registry":        startRegistry,
	"manager":         startManager,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 || roles[arguments[0]] == nil {
		return fmt.Errorf("usage: peer client|endpoint|registry-client|registry|manager [flags]")
	}
	var o options
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.StringVar(&o.name, "name", arguments[0], "name of the path segment, and of what is registered")
	flags.StringVar(&o.listen, "listen", "", "URLs to serve at, with a comma between")
	flags.StringVar(&o.connect, "connect", "", "URL of the next station")
	flags.StringVar(&o.url, "url", "", "URL under which other hosts reach this manager")
	flags.StringVar(&o.service, "service", "", "network service that the endpoint offers")
	flags.StringVar(&o.ifname, "ifname", "", "name of the device in this program's namespace")
	flags.StringVar(&o.prefix, "prefix", "172.16.0.0/24", "addresses that the endpoint gives")
	flags.IntVar(&o.leaseMs, "lease-ms", 60_000, "how long an endpoint is kept after its last sign of life")
	flags.IntVar(&o.lifetimeMs, "lifetime-ms", 0, "how long the client says that it stays; 0: it does not say")
	flags.BoolVar(&o.withHeal, "heal", false, "heal connections")
	flags.BoolVar(&o.withUpstreamRefresh, "upstream-refresh", false, "ask again when the endpoint requests it, as cmd-nsc does")
	flags.BoolVar(&o.withFiles, "files", true, "pass namespaces and sockets as files, as upstream's programs do")
	flags.BoolVar(&o.isStrict, "strict", false, "the endpoint takes back addresses that it does not give")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	// At WARN and ERROR the SDK drops the options of its calls, and the files with them (core/trace/client.go).
	logrus.SetLevel(logrus.InfoLevel)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	understood, err := roles[arguments[0]](ctx, o)
	if err != nil {
		return err
	}
	return converse(ctx, understood, os.Stdin, os.Stdout)
}
