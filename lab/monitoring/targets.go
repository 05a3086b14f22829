package monitoring

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

// targets tells Prometheus over HTTP which addresses the store's Service leads
// to now. Debian's Prometheus cannot ask Kubernetes itself. A store that is not
// ready is a target that is gone, as behind most Services.
type targets struct {
	address string // of the list
	server  *http.Server
}

func serveTargets(store *workload.Copy) (*targets, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &targets{address: "http://" + listener.Addr().String() + "/targets", server: &http.Server{}}
	t.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		slices, err := store.Clients.DiscoveryV1().EndpointSlices(store.Namespace).List(r.Context(),
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + workload.Redis})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway) // Prometheus keeps what it knew
			return
		}
		type group struct {
			Targets []string          `json:"targets"`
			Labels  map[string]string `json:"labels"`
		}
		all := []group{}
		for _, slice := range slices.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready || endpoint.TargetRef == nil {
					continue
				}
				all = append(all, group{[]string{fmt.Sprintf("%s:%d", endpoint.Addresses[0], 6379)},
					map[string]string{"instance": endpoint.TargetRef.Name, "namespace": store.Namespace}})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(all) // Prometheus asks again
	})
	go func() { _ = t.server.Serve(listener) }() // it ends when it is closed
	return t, nil
}
