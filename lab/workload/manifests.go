package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Spec is everything that differs between two copies.
type Spec struct {
	Namespace   string
	Shape       string // Deployment or StatefulSet
	Password    string
	RedisImage  string
	AgentImage  string
	MemoryLimit string // of Redis; empty: DefaultMemoryLimit
	Agents      int32  // pods of the application; 0: DefaultAgents
}

// DefaultAgents is how many pods the application has.
const DefaultAgents = 2

// DefaultMemoryLimit is half as much again as maxmemory: a rewrite of the
// append-only file forks, and the pages written meanwhile exist twice.
const DefaultMemoryLimit = "384Mi"

// Object is any Kubernetes object.
type Object interface {
	runtime.Object
	metav1.Object
}

// Objects are the objects of one copy, in the order of their creation.
func Objects(s Spec) []Object {
	objects := []Object{redisConfig(s), agentConfig(s), secrets(s), service(s)}
	if s.Shape == StatefulSet {
		objects = append(objects, redisStatefulSet(s))
	} else {
		objects = append(objects, claim(s), redisDeployment(s))
	}
	return append(objects, agentDeployment(s))
}

// healthyConfig is the store's redis.conf.
const healthyConfig = `# redis-session: who is signed in to the langgraph-agent.
# The password is not here: the Secret gives it as --requirepass.
port 6379
tcp-keepalive 300
timeout 0
loglevel notice

# Memory. The container's limit leaves half as much again for rewrites.
maxmemory 256mb
maxmemory-policy allkeys-lru

# Persistence. A lost second of sessions is fine, a lost file is not.
dir /data
appendonly yes
appendfsync everysec
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
save 900 1
save 300 100
`

func named(s Spec, name, app string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: s.Namespace, Labels: labels(app)}
}

func labels(app string) map[string]string { return map[string]string{"app": app} }

func redisConfig(s Spec) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: named(s, RedisConfig, Redis),
		Data:       map[string]string{RedisConfigKey: healthyConfig},
	}
}

func agentConfig(s Spec) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: named(s, AgentConfig, Agent),
		Data: map[string]string{
			AgentBackendKey: "redis",
			"redis_address": Redis + ":6379",
			"session_ttl":   "30m",
		},
	}
}

func secrets(s Spec) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: named(s, Secrets, Agent),
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{PasswordKey: []byte(s.Password)},
	}
}

func service(s Spec) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: named(s, Redis, Redis),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: labels(Redis),
			Ports: []corev1.ServicePort{{
				Name: "redis", Port: 6379, TargetPort: intstr.FromString("redis"), Protocol: corev1.ProtocolTCP,
			}},
		},
	}
}

func claim(s Spec) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: named(s, deploymentClaim, Redis),
		Spec:       claimSpec(),
	}
}

func claimSpec() corev1.PersistentVolumeClaimSpec {
	return corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
		},
	}
}
