package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/edwarnicke/grpcfd"
	"github.com/golang-jwt/jwt/v4"
	"github.com/networkservicemesh/sdk/pkg/tools/grpcutils"
	"github.com/networkservicemesh/sdk/pkg/tools/token"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const tokenLifetime = 10 * time.Minute

// tokensOf names a program without a proof: the SDK's registries refuse their own token if it has no name.
func tokensOf(name string) token.GeneratorFunc {
	return func(credentials.AuthInfo) (string, time.Time, error) {
		expiresAt := time.Now().Add(tokenLifetime)
		claims := jwt.RegisteredClaims{Subject: "spiffe://interop.test/" + name, ExpiresAt: jwt.NewNumericDate(expiresAt)}
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("known to all"))
		return text, expiresAt, err
	}
}

// plaintext is a transport without encryption. With withFiles it passes files as upstream's programs do.
func plaintext(withFiles bool) credentials.TransportCredentials {
	if withFiles {
		return grpcfd.TransportCredentials(insecure.NewCredentials())
	}
	return insecure.NewCredentials()
}

func dialOptions(withFiles bool) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(plaintext(withFiles)),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
	}
	if withFiles {
		options = append(options, grpcfd.WithChainStreamInterceptor(), grpcfd.WithChainUnaryInterceptor())
	}
	return options
}

func dial(ctx context.Context, text string, withFiles bool) (*grpc.ClientConn, error) {
	target, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	return grpc.DialContext(ctx, grpcutils.URLToTarget(target), dialOptions(withFiles)...)
}

// serve listens at all URLs of list.
func serve(ctx context.Context, list string, withFiles bool, register func(*grpc.Server)) error {
	for _, text := range strings.Split(list, ",") {
		listenOn, err := url.Parse(text)
		if err != nil {
			return err
		}
		server := grpc.NewServer(grpc.Creds(plaintext(withFiles)))
		register(server)
		failed := grpcutils.ListenAndServe(ctx, listenOn, server)
		select {
		case err := <-failed:
			return err
		default:
		}
	}
	return nil
}
