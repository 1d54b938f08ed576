package main

import (
	"context"
	"net/url"
	"time"

	api "github.com/networkservicemesh/api/pkg/api/registry"
	registryclient "github.com/networkservicemesh/sdk/pkg/registry/chains/client"
	"github.com/networkservicemesh/sdk/pkg/registry/chains/memory"
	"github.com/networkservicemesh/sdk/pkg/registry/common/sendfd"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

func emptyService() *api.NetworkService                    { return &api.NetworkService{} }
func emptyServiceQuery() *api.NetworkServiceQuery          { return &api.NetworkServiceQuery{} }
func emptyEndpoint() *api.NetworkServiceEndpoint           { return &api.NetworkServiceEndpoint{} }
func emptyEndpointQuery() *api.NetworkServiceEndpointQuery { return &api.NetworkServiceEndpointQuery{} }

// startRegistryClient registers and finds entries, refreshes its registrations, and heals.
func startRegistryClient(ctx context.Context, o options) (verbs, error) {
	connectTo, err := url.Parse(o.connect)
	if err != nil {
		return nil, err
	}
	clientOptions := []registryclient.Option{
		registryclient.WithClientURL(connectTo),
		registryclient.WithDialOptions(dialOptions(o.withFiles)...),
	}
	services := registryclient.NewNetworkServiceRegistryClient(ctx, clientOptions...)
	if o.withFiles {
		clientOptions = append(clientOptions,
			registryclient.WithNSEAdditionalFunctionality(sendfd.NewNetworkServiceEndpointRegistryClient()))
	}
	endpoints := registryclient.NewNetworkServiceEndpointRegistryClient(ctx, clientOptions...)
	return verbs{
		"register-service": unary(emptyService, func(ctx context.Context, each *api.NetworkService) (*api.NetworkService, error) {
			return services.Register(ctx, each)
		}),
		"unregister-service": unary(emptyService, func(ctx context.Context, each *api.NetworkService) (*emptypb.Empty, error) {
			return services.Unregister(ctx, each)
		}),
		"find-services": stream[*api.NetworkServiceQuery, *api.NetworkServiceResponse](emptyServiceQuery,
			func(ctx context.Context, query *api.NetworkServiceQuery) (api.NetworkServiceRegistry_FindClient, error) {
				return services.Find(ctx, query)
			}),
		"register-endpoint": unary(emptyEndpoint, func(ctx context.Context, each *api.NetworkServiceEndpoint) (*api.NetworkServiceEndpoint, error) {
			return endpoints.Register(ctx, each)
		}),
		"unregister-endpoint": unary(emptyEndpoint, func(ctx context.Context, each *api.NetworkServiceEndpoint) (*emptypb.Empty, error) {
			return endpoints.Unregister(ctx, each)
		}),
		"find-endpoints": stream[*api.NetworkServiceEndpointQuery, *api.NetworkServiceEndpointResponse](emptyEndpointQuery,
			func(ctx context.Context, query *api.NetworkServiceEndpointQuery) (api.NetworkServiceEndpointRegistry_FindClient, error) {
				return endpoints.Find(ctx, query)
			}),
	}, nil
}

// startRegistry is upstream's registry in memory.
func startRegistry(ctx context.Context, o options) (verbs, error) {
	registry := memory.NewServer(ctx, tokensOf(o.name),
		memory.WithDefaultExpiration(time.Duration(o.leaseMs)*time.Millisecond),
		memory.WithDialOptions(dialOptions(o.withFiles)...))
	return verbs{}, serve(ctx, o.listen, o.withFiles, func(server *grpc.Server) { registry.Register(server) })
}
