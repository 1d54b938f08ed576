package main

import (
	"context"
	"net"
	"net/url"
	"time"

	"github.com/networkservicemesh/api/pkg/api/networkservice"
	"github.com/networkservicemesh/api/pkg/api/networkservice/mechanisms/kernel"
	"github.com/networkservicemesh/sdk/pkg/networkservice/chains/client"
	"github.com/networkservicemesh/sdk/pkg/networkservice/chains/endpoint"
	"github.com/networkservicemesh/sdk/pkg/networkservice/chains/nsmgr"
	"github.com/networkservicemesh/sdk/pkg/networkservice/common/heal"
	"github.com/networkservicemesh/sdk/pkg/networkservice/common/mechanisms"
	kernelmechanism "github.com/networkservicemesh/sdk/pkg/networkservice/common/mechanisms/kernel"
	"github.com/networkservicemesh/sdk/pkg/networkservice/common/mechanisms/sendfd"
	"github.com/networkservicemesh/sdk/pkg/networkservice/common/upstreamrefresh"
	"github.com/networkservicemesh/sdk/pkg/networkservice/ipam/point2pointipam"
	"github.com/networkservicemesh/sdk/pkg/networkservice/ipam/strictipam"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

func emptyRequest() *networkservice.NetworkServiceRequest {
	return &networkservice.NetworkServiceRequest{}
}
func emptyConnection() *networkservice.Connection { return &networkservice.Connection{} }
func emptySelector() *networkservice.MonitorScopeSelector {
	return &networkservice.MonitorScopeSelector{}
}

// startClient asks a manager for connections of the namespace that it runs in, as cmd-nsc does.
func startClient(ctx context.Context, o options) (verbs, error) {
	connectTo, err := url.Parse(o.connect)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, o.connect, o.withFiles)
	if err != nil {
		return nil, err
	}
	named := []kernelmechanism.Option{}
	if o.ifname != "" {
		named = append(named, kernelmechanism.WithInterfaceName(o.ifname))
	}
	elements := []networkservice.NetworkServiceClient{}
	if o.withUpstreamRefresh {
		elements = append(elements, upstreamrefresh.NewClient(ctx))
	}
	elements = append(elements, kernelmechanism.NewClient(named...), sendfd.NewClient())
	if o.lifetimeMs > 0 {
		elements = append(elements, expires{lifetime: time.Duration(o.lifetimeMs) * time.Millisecond})
	}
	clientOptions := []client.Option{
		client.WithName(o.name),
		client.WithClientURL(connectTo),
		client.WithDialOptions(dialOptions(o.withFiles)...),
		client.WithAdditionalFunctionality(elements...),
	}
	if o.withHeal {
		clientOptions = append(clientOptions, client.WithHealClient(heal.NewClient(ctx)))
	}
	nsc := client.NewClient(ctx, clientOptions...)
	monitor := networkservice.NewMonitorConnectionClient(conn)
	return verbs{
		"request": unary(emptyRequest, func(ctx context.Context, request *networkservice.NetworkServiceRequest) (*networkservice.Connection, error) {
			return nsc.Request(ctx, request)
		}),
		"close": unary(emptyConnection, func(ctx context.Context, connection *networkservice.Connection) (*emptypb.Empty, error) {
			return nsc.Close(ctx, connection)
		}),
		"monitor": stream[*networkservice.MonitorScopeSelector, *networkservice.ConnectionEvent](emptySelector,
			func(ctx context.Context, selector *networkservice.MonitorScopeSelector) (networkservice.MonitorConnection_MonitorConnectionsClient, error) {
				return monitor.MonitorConnections(ctx, selector)
			}),
	}, nil
}

// startEndpoint serves the namespace that it runs in, as cmd-nse-icmp-responder does, and registers at a manager.
func startEndpoint(ctx context.Context, o options) (verbs, error) {
	_, prefix, err := net.ParseCIDR(o.prefix)
	if err != nil {
		return nil, err
	}
	named := []kernelmechanism.Option{}
	if o.ifname != "" {
		named = append(named, kernelmechanism.WithInterfaceName(o.ifname))
	}
	ipam := point2pointipam.NewServer
	if o.isStrict {
		ipam = func(prefixes ...*net.IPNet) networkservice.NetworkServiceServer {
			return strictipam.NewServer(point2pointipam.NewServer, prefixes...)
		}
	}
	nse := endpoint.NewServer(ctx, tokensOf(o.name),
		endpoint.WithName(o.name),
		endpoint.WithAdditionalFunctionality(
			ipam(prefix),
			mechanisms.NewServer(map[string]networkservice.NetworkServiceServer{
				kernel.MECHANISM: kernelmechanism.NewServer(named...),
			}),
			sendfd.NewServer(),
		))
	if err := serve(ctx, o.listen, o.withFiles, nse.Register); err != nil {
		return nil, err
	}
	return startRegistryClient(ctx, o)
}

// startManager is upstream's manager, with an external registry if it is given one.
func startManager(ctx context.Context, o options) (verbs, error) {
	managerOptions := []nsmgr.Option{
		nsmgr.WithName(o.name),
		nsmgr.WithURL(o.url),
		nsmgr.WithDialOptions(dialOptions(o.withFiles)...),
	}
	if o.connect != "" {
		registryURL, err := url.Parse(o.connect)
		if err != nil {
			return nil, err
		}
		managerOptions = append(managerOptions, nsmgr.WithRegistry(registryURL))
	}
	manager := nsmgr.NewServer(ctx, tokensOf(o.name), managerOptions...)
	register, ok := manager.(interface{ Register(*grpc.Server) })
	if !ok {
		panic("a manager of the SDK registers itself")
	}
	return verbs{}, serve(ctx, o.listen, o.withFiles, register.Register)
}
