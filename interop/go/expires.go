package main

import (
	"context"
	"time"

	"github.com/networkservicemesh/api/pkg/api/networkservice"
	"github.com/networkservicemesh/sdk/pkg/networkservice/core/next"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// expires sets the lifetime of the client. Upstream's servers read it from the client's token, and refuse a client without
// one.
type expires struct {
	lifetime time.Duration
}

func (e expires) Request(ctx context.Context, request *networkservice.NetworkServiceRequest, opts ...grpc.CallOption) (*networkservice.Connection, error) {
	request.GetConnection().GetCurrentPathSegment().Expires = timestamppb.New(time.Now().Add(e.lifetime))
	return next.Client(ctx).Request(ctx, request, opts...)
}

func (e expires) Close(ctx context.Context, connection *networkservice.Connection, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return next.Client(ctx).Close(ctx, connection, opts...)
}
